"""What a network says about a video, a folder of videos, or a camera."""

from glore_video.prediction.loading import load_predictor, predictor_of
from glore_video.prediction.one_video import predict
from glore_video.tasks.video_classification.inspection import VideoLook, look
from glore_video.tasks.video_classification.prediction import Prediction
from glore_video.tasks.video_classification.predictor import Predictor
from glore_video.tasks.video_classification.windows import Timeline, Window, window_timeline

__all__ = [
    "Prediction",
    "Predictor",
    "Timeline",
    "VideoLook",
    "Window",
    "load_predictor",
    "look",
    "predict",
    "predictor_of",
    "window_timeline",
]
