"""Keys of augmentation and of mixing clips.

Names, defaults and meanings are SlowFast's; HLS_JITTER, PIXEL_JITTER, AA_ON_CROP and
LABEL_SMOOTHING are ours, and count whether AUG.ENABLE is set or not, as NUM_SAMPLE does.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from glore_video.config.fields import (
    BelowOne,
    Float,
    Fraction01,
    NonNegativeFloat,
    Positive,
    Section,
    key,
    no_bool,
)
from glore_video.errors import UsageError


def _strength(value: Any) -> Any:
    """SlowFast's None is 0."""
    return 0.0 if value in (None, "None") else no_bool(value)


GreyLevels = Annotated[Float, Field(ge=-255, le=255)]
# Its own check of truth values, since older releases of pydantic forget the one of Float.
Strength = Annotated[NonNegativeFloat, BeforeValidator(_strength)]


class Aug(Section):
    ENABLE: bool = key(False, "RandAugment or colour jitter, and random erasing, in training")
    NUM_SAMPLE: Positive = key(
        1,
        "clips of each training video in a step, from one opening of the file, each from its own "
        "start; TRAIN.BATCH_SIZE counts videos, so a step has BATCH_SIZE * NUM_SAMPLE clips; of "
        "pictures, crops with augmentation of their own: repeated augmentation",
    )
    COLOR_JITTER: Strength = key(
        0.4,
        "with ENABLE, where AA_TYPE is empty: brightness, contrast and saturation times 1 +- this",
    )
    AA_TYPE: str = key(
        "rand-m9-mstd0.5-inc1",
        "with ENABLE, RandAugment: m magnitude (0..10), n operations (2), mstd its standard "
        "deviation, inc1 all operations grow with it, w0 weighted choice; empty: none",
    )
    INTERPOLATION: Literal["bilinear", "bicubic", "random"] = key(
        "bicubic", "of RandAugment's rotations, shears and translations"
    )
    AA_ON_CROP: bool = key(
        False, "RandAugment on the crop, cheaper, instead of the whole frames as SlowFast has it"
    )
    RE_PROB: Fraction01 = key(0.25, "with ENABLE, probability of random erasing, for each clip")
    RE_MODE: Literal["pixel", "rand", "const"] = key(
        "pixel", "erased to noise, one random colour, or the mean colour"
    )
    RE_COUNT: Positive = key(1, "rectangles that are erased at most")
    RE_SPLIT: bool = key(False, "leave the first of the NUM_SAMPLE clips of a video unerased")
    HLS_JITTER: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat] = key(
        (0.0, 0.0, 0.0),
        "greatest shift of hue (in 2 degrees, up to 180), lightness and saturation (up to 255); "
        "GloRe's own: 15, 35, 25; zeros: none",
    )
    PIXEL_JITTER: tuple[GreyLevels, GreyLevels] = key(
        (0.0, 0.0),
        "least (up to 0) and greatest (from 0) noise on each value, in grey levels of 255; GloRe's "
        "own: -20, 20; zeros: none",
    )
    LABEL_SMOOTHING: BelowOne = key(
        0.0, "share of each target spread over all classes, without MIXUP (which has its own key)"
    )

    @model_validator(mode="after")
    def _ranges_fit(self) -> Aug:
        for name, value, most in zip(
            ("hue", "lightness", "saturation"), self.HLS_JITTER, (180, 255, 255), strict=True
        ):
            if value > most:
                raise UsageError(
                    f"AUG.HLS_JITTER = {list(self.HLS_JITTER)}: {name} is at most {most}"
                )
        low, high = self.PIXEL_JITTER
        if not -255 <= low <= 0 <= high <= 255:
            raise UsageError(
                f"AUG.PIXEL_JITTER = [{low:g}, {high:g}]: the first is from -255 to 0, the second "
                "from 0 to 255"
            )
        if self.ENABLE and self.RE_PROB and self.RE_SPLIT and self.NUM_SAMPLE == 1:
            raise UsageError(
                "AUG.RE_SPLIT = True spares the first clip of each video, and AUG.NUM_SAMPLE = 1 "
                "means that there is no other: nothing would be erased"
            )
        return self


class Mixup(Section):
    ENABLE: bool = key(False, "mix the clips of a step in pairs, on the device")
    ALPHA: NonNegativeFloat = key(0.8, "mixup's weight is drawn from Beta(ALPHA, ALPHA); 0: none")
    CUTMIX_ALPHA: NonNegativeFloat = key(1.0, "the same for cutmix")
    PROB: Fraction01 = key(1.0, "probability of a step to be mixed")
    SWITCH_PROB: Fraction01 = key(0.5, "probability of cutmix where both are on")
    LABEL_SMOOTH_VALUE: BelowOne = key(
        0.1, "with ENABLE, share of each target spread over all classes"
    )
