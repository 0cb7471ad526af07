"""Lists, data sets and their loaders."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from glore_video.config import Config
from glore_video.data.relations.labels import Labels
from glore_video.data.relations.videos import render_relations
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS
from glore_video.data.video.video_list import VideoList
from glore_video.engine.protocols import Words
from glore_video.errors import UsageError
from glore_video.tasks.classification.class_lists import ClassLists
from glore_video.tasks.classification.task_augmentation import build_augmentation, build_framing
from glore_video.tasks.task_base import build_watchdog
from glore_video.tasks.video_classification.dataset import CentreClips, EvalViews, TrainingClips
from glore_video.video import ClipSampling

WORDS = Words(
    sample="video",
    input="clip",
    validated="centre clip",
    faster_reading=(
        "make videos smaller and their GOPs shorter: see glore-video check-data and benchmark-loader"
    ),
)


def clip_sampling(config: Config) -> ClipSampling:
    return ClipSampling(
        num_frames=config.DATA.NUM_FRAMES,
        stride=config.DATA.SAMPLING_RATE,
        spacing=config.DATA.CLIP_SPACING,
        target_fps=config.DATA.TARGET_FPS or None,
        short_video=config.DATA.SHORT_VIDEO,
    )


def render_videos(config: Config, labels: Labels) -> None:
    """The synthetic videos that a configuration names."""
    synthetic = config.SYNTHETIC
    render_relations(
        config.DATA.PATH_TO_DATA_DIR,
        labels=labels,
        num_train=synthetic.NUM_TRAIN,
        num_val=synthetic.NUM_VAL,
        num_frames=synthetic.NUM_FRAMES,
        size=synthetic.SIZE,
        seed=synthetic.SEED,
    )


def video_lists(config: Config) -> ClassLists[VideoList]:
    """The lists of the run."""
    use_damaged = config.DATA.DAMAGED_VIDEO == "use_prefix"
    return ClassLists(config, VIDEOS, partial(load_split, use_damaged=use_damaged))


def check_backend(config: Config) -> None:
    """Raises UsageError if the package that DATA.DECODING_BACKEND needs is not installed."""
    package = "av" if config.DATA.DECODING_BACKEND == "pyav" else config.DATA.DECODING_BACKEND
    if find_spec(package) is None:
        raise UsageError(
            f"DATA.DECODING_BACKEND = {config.DATA.DECODING_BACKEND} needs the package {package}, "
            "which is not installed; pyav is always there"
        )


def training_clips(config: Config, videos: VideoList) -> TrainingClips:
    """Random clips of these videos."""
    return TrainingClips(
        videos=videos,
        sampling=clip_sampling(config),
        framing=build_framing(config),
        augmentation=build_augmentation(config),
        num_clips=config.AUG.NUM_SAMPLE,
        backend=config.DATA.DECODING_BACKEND,
        damaged=config.DATA.DAMAGED_VIDEO,
        seed=config.RNG_SEED,
        watchdog=build_watchdog(config),
    )


def centre_clips(config: Config, videos: VideoList) -> CentreClips:
    """The clips that are validated."""
    return CentreClips(
        videos=videos,
        sampling=clip_sampling(config),
        short_side=config.DATA.VAL_SHORT_SIDE or config.DATA.TRAIN_JITTER_SCALES[0],
        crop_size=config.DATA.TRAIN_CROP_SIZE,
        backend=config.DATA.DECODING_BACKEND,
        damaged=config.DATA.DAMAGED_VIDEO,
        watchdog=build_watchdog(config),
    )


def eval_short_side(config: Config) -> int:
    """Pixels of the shorter side that test videos are scaled to."""
    data = config.DATA
    three = config.TEST.NUM_SPATIAL_CROPS == 3
    default = data.TEST_CROP_SIZE if three else data.TRAIN_JITTER_SCALES[0]
    return data.TEST_SHORT_SIDE or max(default, data.TEST_CROP_SIZE)


def views_of_tests(config: Config) -> EvalViews:
    """How a test takes the views of a video."""
    data, crops = config.DATA, config.TEST.NUM_SPATIAL_CROPS
    assert crops != 5, "VideoClassification.check_keys"
    return EvalViews(
        sampling=clip_sampling(config),
        num_clips=config.TEST.NUM_ENSEMBLE_VIEWS,
        num_crops=crops,
        short_side=eval_short_side(config),
        crop_size=data.TEST_CROP_SIZE,
        spacing=config.TEST.VIEW_SPACING,
        backend=data.DECODING_BACKEND,
        damaged=data.DAMAGED_VIDEO,
    )
