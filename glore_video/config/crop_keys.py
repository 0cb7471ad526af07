"""Keys of DATA that say which part of a frame is shown, and at what size."""

from __future__ import annotations

from pydantic import model_validator

from glore_video.config.fields import NonNegative, Positive, PositiveFloat, Section, key
from glore_video.errors import UsageError


class Crops(Section):
    TRAIN_JITTER_SCALES: tuple[Positive, Positive] = key(
        (256, 320), "short side in training, pixels: least, greatest"
    )
    TRAIN_JITTER_ASPECT: tuple[PositiveFloat, ...] = key(
        (),
        "least and greatest factor of a training clip's width and divisor of its height; GloRe's "
        "own: 0.8, 1.25; empty: the shape stays",
    )
    TRAIN_JITTER_SCALES_RELATIVE: tuple[PositiveFloat, ...] = key(
        (),
        "least and greatest share of the area that a training crop shows (Inception's crop), in "
        "place of TRAIN_JITTER_SCALES; empty: off",
    )
    TRAIN_JITTER_ASPECT_RELATIVE: tuple[PositiveFloat, ...] = key(
        (), "least and greatest width / height of such a crop, e.g. 0.75, 1.3333"
    )
    TRAIN_SCALES: tuple[PositiveFloat, ...] = key(
        (0.5, 2.0), "segmentation: least and greatest factor that training pictures are scaled by"
    )
    TRAIN_CROP_HEIGHT: NonNegative = key(
        0,
        "segmentation: height of a training crop, pixels, TRAIN_CROP_SIZE is its width; 0: square",
    )
    INV_UNIFORM_SAMPLE: bool = key(False, "draw the inverse of the short side evenly, not the side")
    TRAIN_CROP_SIZE: Positive = key(224, "crop in training and validation, pixels")
    VAL_SHORT_SIDE: NonNegative = key(
        0, "short side in validation, pixels; 0: the training's least; of pictures: 8/7 of the crop"
    )
    TEST_CROP_SIZE: Positive = key(256, "crop in testing, pixels")
    TEST_SHORT_SIDE: NonNegative = key(
        0,
        "short side in testing, pixels; 0: TEST_CROP_SIZE with 3 crops, else the training's least; of "
        "pictures: 8/7 of the crop",
    )
    RANDOM_FLIP: bool = key(True, "mirror half of the training clips left to right")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Crops:
        low, high = self.TRAIN_JITTER_SCALES
        if low > high:
            raise UsageError(
                f"DATA.TRAIN_JITTER_SCALES = [{low}, {high}]: the first is the greater"
            )
        self._check_pairs()
        if self.VAL_SHORT_SIDE and self.TRAIN_CROP_SIZE > self.VAL_SHORT_SIDE:
            raise UsageError(
                f"DATA.TRAIN_CROP_SIZE = {self.TRAIN_CROP_SIZE} does not fit into "
                f"DATA.VAL_SHORT_SIDE = {self.VAL_SHORT_SIDE}"
            )
        if self.TEST_SHORT_SIDE and self.TEST_CROP_SIZE > self.TEST_SHORT_SIDE:
            raise UsageError(
                f"DATA.TEST_CROP_SIZE = {self.TEST_CROP_SIZE} does not fit into "
                f"DATA.TEST_SHORT_SIDE = {self.TEST_SHORT_SIDE}"
            )
        return self

    def check_training_crop(self) -> None:
        """Raises UsageError for a crop that does not fit into the frames it is cut out of."""
        low, high = self.TRAIN_JITTER_SCALES
        if self.TRAIN_CROP_SIZE > low:
            raise UsageError(
                f"DATA.TRAIN_CROP_SIZE = {self.TRAIN_CROP_SIZE} does not fit into the least short "
                f"side, DATA.TRAIN_JITTER_SCALES = [{low}, {high}]"
            )

    def _check_pairs(self) -> None:
        for name in (
            "TRAIN_JITTER_ASPECT",
            "TRAIN_JITTER_SCALES_RELATIVE",
            "TRAIN_JITTER_ASPECT_RELATIVE",
            "TRAIN_SCALES",
        ):
            pair = getattr(self, name)
            if pair and (len(pair) != 2 or pair[0] > pair[1]):
                raise UsageError(
                    f"DATA.{name} = {list(pair)}: the least and the greatest are expected, or nothing"
                )
        areas, aspects = self.TRAIN_JITTER_SCALES_RELATIVE, self.TRAIN_JITTER_ASPECT_RELATIVE
        if bool(areas) != bool(aspects):
            raise UsageError(
                f"DATA.TRAIN_JITTER_SCALES_RELATIVE = {list(areas)} and "
                f"DATA.TRAIN_JITTER_ASPECT_RELATIVE = {list(aspects)}: both are needed, or neither"
            )
        if areas and areas[1] > 1:
            raise UsageError(
                f"DATA.TRAIN_JITTER_SCALES_RELATIVE = {list(areas)}: a share of the area is at most 1"
            )
        if areas and self.TRAIN_JITTER_ASPECT:
            raise UsageError(
                f"DATA.TRAIN_JITTER_ASPECT = {list(self.TRAIN_JITTER_ASPECT)} is for crops without "
                "DATA.TRAIN_JITTER_SCALES_RELATIVE"
            )
