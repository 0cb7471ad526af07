"""The keys of a segmentation: which mean nothing to it, and what does not go together."""

from __future__ import annotations

from glore_video.config import Config
from glore_video.errors import UsageError
from glore_video.tasks.keys_of_no_use import OF_CLIPS, refuse_keys
from glore_video.tasks.segmentation.objective import check_class_weights
from glore_video.tasks.segmentation.task_network import check_network_keys
from glore_video.tasks.synthetic import STREETS, check_labels

_OF_CLASSES = (
    *("DATA.PATH_LABEL_SEPARATOR", "DATA.VAL_LABELS_PATH", "DATA.CROP_MODE", "DATA.PATH_PREFIX"),
    *("DATA.TRAIN_JITTER_SCALES", "DATA.TRAIN_JITTER_ASPECT", "DATA.TRAIN_JITTER_SCALES_RELATIVE"),
    *("DATA.TRAIN_JITTER_ASPECT_RELATIVE", "DATA.INV_UNIFORM_SAMPLE", "DATA.VAL_SHORT_SIDE"),
    *("DATA.TEST_SHORT_SIDE", "DATA.TEST_CROP_SIZE", "AUG.NUM_SAMPLE", "AUG.RE_SPLIT"),
    *("AUG.LABEL_SMOOTHING", "MIXUP", "TEST.NUM_SPATIAL_CROPS"),
)


def check_keys(config: Config) -> None:
    """Raises UsageError for keys that mean nothing to a segmentation, or do not go together."""
    refuse_keys(config, (*OF_CLIPS, *_OF_CLASSES), "whose samples are pictures with masks")
    check_labels(config, STREETS)
    check_network_keys(config)
    if config.AUG.ENABLE and config.AUG.AA_TYPE:
        raise UsageError(
            f"AUG.AA_TYPE = {config.AUG.AA_TYPE}: RandAugment would move pictures and not their "
            'masks; with AUG.AA_TYPE "" AUG.ENABLE is colour jitter and erasing'
        )
    if config.MODEL.LOSS_FUNC != "cross_entropy":
        raise UsageError(
            f"MODEL.LOSS_FUNC = {config.MODEL.LOSS_FUNC}: a segmentation has cross_entropy"
        )
    if config.MODEL.NUM_CLASSES:
        check_class_weights(
            config.LOSS.CLASS_WEIGHTS, config.MODEL.NUM_CLASSES, "LOSS.CLASS_WEIGHTS"
        )
