"""Keys of videos, clips, crops and their reading."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from glore_video.choices import Backend, Damaged
from glore_video.config.fields import (
    Fraction01,
    Int,
    NonNegative,
    NonNegativeFloat,
    Positive,
    PositiveFloat,
    Seconds,
    Section,
    Seed,
    key,
)
from glore_video.errors import UsageError

# A shell passes \\t as it is, two characters.
Separator = Annotated[
    str, Field(min_length=1), AfterValidator(lambda text: text.replace(r"\t", "\t"))
]


class Data(Section):
    PATH_TO_DATA_DIR: str = key(
        "", "folder with train.csv, val.csv, test.csv, or with train/, val/, test/ of class folders"
    )
    PATH_PREFIX: str = key(
        "", "folder that relative paths in lists start from; empty: the list's own"
    )
    PATH_LABEL_SEPARATOR: Separator = key(
        " ", "what stands between path and label (the last one splits); \\t: a tab"
    )
    CLASS_NAMES_PATH: str = key(
        "",
        "text file, a class name a line, that of label 0 first, for people and for class folders; "
        "empty: class_names.txt beside the lists, or Kinetics'",
    )
    NUM_FRAMES: Positive = key(8, "frames a clip (SlowFast networks: of the fast pathway)")
    SAMPLING_RATE: Positive = key(8, "stride: frames between sampled frames, at TARGET_FPS")
    CLIP_SPACING: Literal["stride", "linspace"] = key(
        "stride", "exact stride, or SlowFast's even spread over NUM_FRAMES * SAMPLING_RATE frames"
    )
    TARGET_FPS: NonNegativeFloat = key(
        30, "frames/s in which SAMPLING_RATE counts; 0: the video's own"
    )
    SHORT_VIDEO: Literal["repeat_last", "cycle"] = key(
        "repeat_last", "how a clip longer than its video is filled"
    )
    DECODING_BACKEND: Backend = key("pyav", "library that reads videos")
    DAMAGED_VIDEO: Damaged = key(
        "error",
        "a damaged video counts as unreadable, or its frames before the damage are used "
        "(in training, validation and testing alike)",
    )
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
    INV_UNIFORM_SAMPLE: bool = key(False, "draw the inverse of the short side evenly, not the side")
    TRAIN_CROP_SIZE: Positive = key(224, "crop in training and validation, pixels")
    VAL_SHORT_SIDE: NonNegative = key(
        0, "short side in validation, pixels; 0: the training's least"
    )
    TEST_CROP_SIZE: Positive = key(256, "crop in testing, pixels")
    TEST_SHORT_SIDE: NonNegative = key(
        0,
        "short side in testing, pixels; 0: TEST_CROP_SIZE with 3 crops, else the training's least",
    )
    RANDOM_FLIP: bool = key(True, "mirror half of the training clips left to right")
    MEAN: tuple[Fraction01, Fraction01, Fraction01] = key(
        (0.45, 0.45, 0.45), "subtracted from RGB in 0..1"
    )
    STD: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = key(
        (0.225, 0.225, 0.225), "RGB in 0..1 is divided by it"
    )
    MAX_BAD_FRACTION: Fraction01 = key(
        0.05, "share of unreadable training videos past which the run stops"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> Data:
        low, high = self.TRAIN_JITTER_SCALES
        if low > high:
            raise UsageError(
                f"DATA.TRAIN_JITTER_SCALES = [{low}, {high}]: the first is the greater"
            )
        self._check_pairs()
        if self.TRAIN_CROP_SIZE > low:
            raise UsageError(
                f"DATA.TRAIN_CROP_SIZE = {self.TRAIN_CROP_SIZE} does not fit into the least short "
                f"side, DATA.TRAIN_JITTER_SCALES = [{low}, {high}]"
            )
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

    def _check_pairs(self) -> None:
        for name in (
            "TRAIN_JITTER_ASPECT",
            "TRAIN_JITTER_SCALES_RELATIVE",
            "TRAIN_JITTER_ASPECT_RELATIVE",
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


class Synthetic(Section):
    LABELS: Annotated[
        Literal["none", "pair", "same"],
        BeforeValidator(lambda value: "none" if value in ("", None) else value),
    ] = key(
        "none",
        "render the `relations` videos, labelled so, into DATA.PATH_TO_DATA_DIR if missing; none: "
        "the videos are there",
    )
    NUM_TRAIN: Positive = key(2000, "training videos to render")
    NUM_VAL: Positive = key(480, "validation videos to render; they are the test videos too")
    NUM_FRAMES: Positive = key(12, "frames a rendered video")
    SIZE: Annotated[Int, Field(ge=48, multiple_of=2)] = key(
        64, "height and width of a rendered video, pixels; even, from 48 on"
    )
    SEED: Seed = key(0, "seed of the rendering")


class DataLoader(Section):
    NUM_WORKERS: NonNegative = key(
        8, "reading processes a training process; 0: read in the trainer"
    )
    PIN_MEMORY: bool = key(True, "page-locked batches, for faster copies to a GPU")
    VIDEO_TIMEOUT: Seconds = key(
        60.0,
        "seconds a video may take to read before its decoder is killed; 0, or no workers: no limit",
    )
    VIDEO_TIMEOUT_ACTION: Literal["skip", "stop"] = key(
        "skip", "such a video counts as unreadable and the run goes on, or the run stops"
    )
