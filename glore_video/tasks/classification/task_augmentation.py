"""Framing and augmentation in the reading processes, and mixing on the device."""

from __future__ import annotations

from glore_video.config import Config
from glore_video.errors import UsageError
from glore_video.pixels.augmentation import Augmentation, Framing
from glore_video.pixels.erasing import RandomErasing
from glore_video.pixels.rand_augment import RandAugment
from glore_video.tasks.classification.mixing import Mixing


def build_framing(config: Config) -> Framing:
    """Which part of its sample a training input shows."""
    data = config.DATA
    return Framing(
        short_sides=data.TRAIN_JITTER_SCALES,
        inverse_uniform=data.INV_UNIFORM_SAMPLE,
        aspects=_pair(data.TRAIN_JITTER_ASPECT),
        areas=_pair(data.TRAIN_JITTER_SCALES_RELATIVE),
        area_aspects=_pair(data.TRAIN_JITTER_ASPECT_RELATIVE) or (1.0, 1.0),
        crop_size=data.TRAIN_CROP_SIZE,
        flip=data.RANDOM_FLIP,
    )


def _pair(numbers: tuple[float, ...]) -> tuple[float, float] | None:
    """A key's least and greatest, None if it is empty; Config has made sure that it is two."""
    return (numbers[0], numbers[1]) if numbers else None


def build_augmentation(config: Config) -> Augmentation:
    """Raises ValueError for an AUG.AA_TYPE that can't be read."""
    aug, data = config.AUG, config.DATA
    rand_augment = erasing = None
    if aug.ENABLE and aug.AA_TYPE:
        rand_augment = RandAugment.parse(aug.AA_TYPE, interpolation=aug.INTERPOLATION)
    if aug.ENABLE and aug.RE_PROB:
        erasing = RandomErasing(
            probability=aug.RE_PROB,
            mode=aug.RE_MODE,
            count=aug.RE_COUNT,
            mean=data.MEAN,
            std=data.STD,
        )
    return Augmentation(
        rand_augment=rand_augment,
        rand_augment_on_crop=aug.AA_ON_CROP,
        colour_jitter=aug.COLOR_JITTER if aug.ENABLE and not aug.AA_TYPE else 0.0,
        hls_ranges=aug.HLS_JITTER,
        pixel_ranges=aug.PIXEL_JITTER,
        erasing=erasing,
        spare_first=aug.RE_SPLIT,
    )


def build_mixing(config: Config) -> Mixing | None:
    """What makes the targets of a step soft; None: the loss takes the labels as they are.

    Raises ValueError where AUG.LABEL_SMOOTHING is given beside MIXUP.ENABLE.
    """
    mixup, smoothing = config.MIXUP, config.AUG.LABEL_SMOOTHING
    if mixup.ENABLE and smoothing:
        raise UsageError(
            f"AUG.LABEL_SMOOTHING = {smoothing} is for training without mixup; with MIXUP.ENABLE "
            f"True it is MIXUP.LABEL_SMOOTH_VALUE (now {mixup.LABEL_SMOOTH_VALUE})"
        )
    if not mixup.ENABLE and not smoothing:
        return None
    return Mixing(
        alpha=mixup.ALPHA if mixup.ENABLE else 0.0,
        cutmix_alpha=mixup.CUTMIX_ALPHA if mixup.ENABLE else 0.0,
        probability=mixup.PROB,
        switch_probability=mixup.SWITCH_PROB,
        label_smoothing=mixup.LABEL_SMOOTH_VALUE if mixup.ENABLE else smoothing,
        num_classes=config.MODEL.NUM_CLASSES,
    )
