"""What a network says about a file, a folder of files, or a camera."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glore_video.prediction.loading import load_predictor, predictor_of
from glore_video.prediction.one_file import predict
from glore_video.tasks.predictor import FilmPredictor, Predictor

if TYPE_CHECKING:
    from glore_video.inspection.picture_look import PictureLook
    from glore_video.tasks.classification.prediction import Prediction
    from glore_video.tasks.image_classification.predictor import PicturePredictor
    from glore_video.tasks.segmentation.predictor import ScenePredictor
    from glore_video.tasks.segmentation.segmented import Segmented, SegmentedPicture
    from glore_video.tasks.video_classification.inspection import VideoLook, look
    from glore_video.tasks.video_classification.predictor import VideoPredictor
    from glore_video.tasks.video_classification.windows import Timeline, Window, window_timeline

# Names that belong to one task: imported when they are asked for.
_HOMES = {
    "PictureLook": "inspection.picture_look",
    "PicturePredictor": "tasks.image_classification.predictor",
    "Prediction": "tasks.classification.prediction",
    "ScenePredictor": "tasks.segmentation.predictor",
    "Segmented": "tasks.segmentation.segmented",
    "SegmentedPicture": "tasks.segmentation.segmented",
    "Timeline": "tasks.video_classification.windows",
    "VideoLook": "tasks.video_classification.inspection",
    "VideoPredictor": "tasks.video_classification.predictor",
    "Window": "tasks.video_classification.windows",
    "look": "tasks.video_classification.inspection",
    "window_timeline": "tasks.video_classification.windows",
}

__all__ = [
    "FilmPredictor",
    "PictureLook",
    "PicturePredictor",
    "Prediction",
    "Predictor",
    "ScenePredictor",
    "Segmented",
    "SegmentedPicture",
    "Timeline",
    "VideoLook",
    "VideoPredictor",
    "Window",
    "load_predictor",
    "look",
    "predict",
    "predictor_of",
    "window_timeline",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"glore_video.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
