"""Keys of videos, clips, pictures, crops and their reading."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from glore_video.choices import Backend, Damaged
from glore_video.config.crop_keys import Crops
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

# A shell passes \\t as it is, two characters.
Separator = Annotated[
    str, Field(min_length=1), AfterValidator(lambda text: text.replace(r"\t", "\t"))
]


class _Lists(Section):
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
        "empty: class_names.txt beside the lists, or Kinetics', or ImageNet's",
    )
    VAL_LABELS_PATH: str = key(
        "",
        "pictures: file with the classes of a val folder without class folders, as ImageNet's is "
        "unpacked; empty: looked for in the data folder",
    )


class _Clips(Section):
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


class _Decoding(Section):
    DECODING_BACKEND: Backend = key("pyav", "library that reads videos")
    DAMAGED_VIDEO: Damaged = key(
        "error",
        "a damaged video counts as unreadable, or its frames before the damage are used "
        "(in training, validation and testing alike)",
    )


class _Colours(Section):
    MEAN: tuple[Fraction01, Fraction01, Fraction01] = key(
        (0.45, 0.45, 0.45), "subtracted from RGB in 0..1"
    )
    STD: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = key(
        (0.225, 0.225, 0.225), "RGB in 0..1 is divided by it"
    )


class _Pictures(Section):
    INTERPOLATION: Literal["bilinear", "bicubic"] = key(
        "bilinear", "pictures: how they are scaled, antialiased as Pillow does it"
    )
    CROP_MODE: Literal["center", "squash", "border"] = key(
        "center",
        "pictures in validation and testing: the shorter side is scaled (center), both are, whatever "
        "the shape (squash), or the longer one and the rest is filled (border)",
    )
    MAX_PIXELS: Positive = key(
        100_000_000, "pictures of more pixels (width times height) count as unreadable"
    )


# Keys are listed from the last of these to the first.
class Data(_Colours, _Pictures, Crops, _Decoding, _Clips, _Lists):
    MAX_BAD_FRACTION: Fraction01 = key(
        0.05, "share of unreadable training samples past which the run stops"
    )


class Synthetic(Section):
    LABELS: Annotated[
        Literal["none", "pair", "same", "lamp"],
        BeforeValidator(lambda value: "none" if value in ("", None) else value),
    ] = key(
        "none",
        "render the `relations` samples, labelled so, into DATA.PATH_TO_DATA_DIR if missing; lamp: street "
        "scenes with masks, for segmentation; none: the samples are there",
    )
    NUM_TRAIN: Positive = key(2000, "training samples to render")
    NUM_VAL: Positive = key(480, "validation samples to render; they are the test samples too")
    NUM_FRAMES: Positive = key(12, "frames a rendered video")
    SIZE: Annotated[Int, Field(ge=48, multiple_of=2)] = key(
        64, "height and width of a rendered sample, pixels; even, from 48 on"
    )
    SEED: Seed = key(0, "seed of the rendering")


class DataLoader(Section):
    NUM_WORKERS: NonNegative = key(
        8, "reading processes a training process; 0: read in the trainer"
    )
    PIN_MEMORY: bool = key(
        True, "page-locked batches and views of tests, for faster copies to a GPU"
    )
    VIDEO_TIMEOUT: Seconds = key(
        60.0,
        "seconds a video may take to read before its decoder is killed; 0, or no workers: no limit; of "
        "pictures 0 unless it is set: it costs them a fifth of their speed",
    )
    VIDEO_TIMEOUT_ACTION: Literal["skip", "stop"] = key(
        "skip", "such a sample counts as unreadable and the run goes on, or the run stops"
    )
