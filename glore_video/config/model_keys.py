"""Keys of the network."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator, model_validator

from glore_video.config.fields import (
    AutoBool,
    BelowOne,
    BlockLocations,
    NonNegative,
    Positive,
    PositiveFloat,
    Section,
    UnitCounts,
    key,
)
from glore_video.errors import UsageError

# Of builders' arguments, those that keys of their own stand for, and those that name weights.
_OTHER_KEYS = {
    "num_classes": "MODEL.NUM_CLASSES is",
    **dict.fromkeys(("pretrained", "weights", "weights_backbone"), "MODEL.PRETRAINED is"),
    **dict.fromkeys(
        ("checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"),
        "TRAIN.CHECKPOINT_FILE_PATH names a file of weights",
    ),
}


def _said_as_yes_or_no(value: Any) -> Any:
    """True and False, as MODEL.COMPILE was once given, are all and nothing."""
    return ("all" if value else "") if isinstance(value, bool) else value


# What torch.compile compiles.
Compiled = Annotated[Literal["", "all", "units"], BeforeValidator(_said_as_yes_or_no)]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(inner) for name, inner in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (bool, int, str))


class Model(Section):
    NAME: str = key(
        "",
        "a network by name, in place of ARCH, RESNET and SLOWFAST: of the zoo, "
        "torchvision/video/<name>, pytorchvideo/<name>",
    )
    OPTIONS: dict[str, Any] = key(
        {},
        "options of a network of timm, torchvision or pytorchvideo, as its builder there takes them: "
        "{drop_path_rate: 0.05}",
    )
    PRETRAINED: bool = key(False, "start from the published weights of MODEL.NAME")
    ARCH: Literal["preact", "c2d", "c2d_nopool", "i3d", "slow", "slowfast", "tiny", "tiny2d"] = key(
        "preact", "backbone: the paper's pre-activation network, or pytorchvideo's, or the demo's"
    )
    NUM_CLASSES: NonNegative = key(
        400,
        "classes; labels are 0 .. NUM_CLASSES - 1; 0: as many as class_names.txt, train.csv or the "
        "class folders in train/ have",
    )
    CHANNELS_LAST: AutoBool = key(
        "auto",
        "keep the channels of a position together in memory; auto: on GPUs in half precision "
        "(TRAIN.MIXED_PRECISION)",
    )
    FROZEN_BN: bool = key(
        False, "batch norms use their running statistics in training too, and keep them"
    )
    ACT_CHECKPOINT: bool = key(
        False, "compute the inside of residual blocks again for the backward pass: less memory"
    )
    COMPILE: Compiled = key(
        "",
        "through torch.compile, in training, validation and the test: the whole network (all), or "
        "its GloRe units and non-local blocks alone (units), which compile sooner",
    )
    COMPILE_MODE: Literal["", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] = (
        key("", "torch.compile's mode; the first two record CUDA graphs")
    )
    DROPOUT_RATE: BelowOne = key(0.5, "dropout before the classifier")
    LOSS_FUNC: Literal["cross_entropy", "soft_cross_entropy", "bce_logit"] = key(
        "cross_entropy",
        "loss in training and validation: cross-entropy (both names, whether targets are soft or "
        "not), or binary cross-entropy of each class' logit, the mean over classes",
    )
    BCE_TARGET_THRESHOLD: BelowOne = key(
        0.0, "with bce_logit, soft targets above this are 1 and the others 0; 0: as they are"
    )

    @field_validator("OPTIONS")
    @classmethod
    def _plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name, value in options.items():
            if name in _OTHER_KEYS:
                raise UsageError(f"{name!r} is not one of them here: {_OTHER_KEYS[name]}")
            if not _is_plain(value):
                raise UsageError(f"{name!r} must be a number, text, True, False, or lists of such")
        return options

    @field_validator("NUM_CLASSES")
    @classmethod
    def _several(cls, number: int) -> int:
        if number == 1:
            raise UsageError("two classes at least, or 0 for as many as the data have")
        return number

    @model_validator(mode="after")
    def _mode_has_a_use(self) -> Model:
        if self.COMPILE_MODE and not self.COMPILE:
            raise UsageError(
                f"MODEL.COMPILE_MODE = {self.COMPILE_MODE} is for MODEL.COMPILE all (is off)"
            )
        if self.COMPILE == "units" and self.COMPILE_MODE not in ("", "max-autotune-no-cudagraphs"):
            raise UsageError(
                f"MODEL.COMPILE_MODE = {self.COMPILE_MODE} records CUDA graphs, of a whole network: "
                "MODEL.COMPILE all (is units), or MODEL.COMPILE_MODE max-autotune-no-cudagraphs"
            )
        return self

    @model_validator(mode="after")
    def _threshold_has_a_use(self) -> Model:
        if self.BCE_TARGET_THRESHOLD and self.LOSS_FUNC != "bce_logit":
            raise UsageError(
                f"MODEL.BCE_TARGET_THRESHOLD = {self.BCE_TARGET_THRESHOLD:g} is for "
                f"MODEL.LOSS_FUNC bce_logit (is {self.LOSS_FUNC})"
            )
        return self


class ResNet(Section):
    DEPTH: Literal[50, 101] = key(50, "layers of the backbone")
    NUM_BLOCK_TEMP_KERNEL: tuple[tuple[NonNegative, ...], ...] = key(
        (), "stage -> pathway -> blocks with temporal kernels (i3d, slow, slowfast); empty: all"
    )
    ZERO_INIT_FINAL_BN: bool = key(False, "weight of each block's last batch norm starts at zero")


class SlowFast(Section):
    ALPHA: Positive = key(4, "frames of the fast pathway a frame of the slow one")
    BETA_INV: Positive = key(8, "channels of the slow pathway a channel of the fast one")
    FUSION_CONV_CHANNEL_RATIO: Positive = key(2, "channels of the fusion a fast channel")
    FUSION_KERNEL_SZ: Positive = key(7, "frames that a fusion convolution spans")

    @model_validator(mode="after")
    def _widths_fit(self) -> SlowFast:
        if self.FUSION_KERNEL_SZ % 2 == 0:
            raise UsageError(f"SLOWFAST.FUSION_KERNEL_SZ = {self.FUSION_KERNEL_SZ}: must be odd")
        if 64 % self.BETA_INV:
            raise UsageError(f"SLOWFAST.BETA_INV = {self.BETA_INV}: must be a divisor of 64")
        return self


class Glore(Section):
    LOCATION: BlockLocations = key(
        (), "blocks a GloRe unit stands after: stage -> pathway -> 0-based blocks"
    )
    AFTER: tuple[str, ...] = key(
        (), "blocks a GloRe unit stands after, by path, * for any name between two dots"
    )
    UNITS: UnitCounts = key(
        (), "units on Res3 and on Res4, [0, 3], of a network whose four stages are known"
    )
    NORMALIZE: bool = key(True, "divide the node features by the number of positions")
    SCALE: PositiveFloat = key(1.0, "multiplies the node features, besides NORMALIZE")
    FORM: Literal["post", "preactivated"] = key(
        "post",
        "post: as in the published video code; preactivated: as in the paper's picture networks",
    )
    END: Literal["batch_norm", "gamma", "joint_batch_norm"] = key(
        "batch_norm", "what stands at the end of a unit of the form post; each is zero at first"
    )
    RELU: bool = key(True, "ReLU between the two graph products, of the form post")
    NODES: NonNegative = key(0, "graph nodes a unit; 0: a quarter of the channels")
    STATES: NonNegative = key(0, "features a node; 0: half of the channels")

    @model_validator(mode="after")
    def _options_of_the_form(self) -> Glore:
        if self.FORM == "preactivated" and (self.END != "batch_norm" or not self.RELU):
            key_of_post = "END" if self.END != "batch_norm" else "RELU"
            raise UsageError(
                f"GLORE.{key_of_post} is of GLORE.FORM post: a preactivated unit has nothing at its end "
                "and a ReLU before each convolution"
            )
        return self


class NonLocal(Section):
    LOCATION: BlockLocations = key(
        (), "blocks a non-local block stands after: stage -> pathway -> 0-based blocks"
    )
    AFTER: tuple[str, ...] = key((), "blocks a non-local block stands after, as GLORE.AFTER")
    UNITS: UnitCounts = key((), "non-local blocks on Res3 and on Res4, as GLORE.UNITS")
    INSTANTIATION: Literal["softmax", "dot_product"] = key(
        "dot_product", "how the affinities are normalised"
    )

    POOL: tuple[tuple[tuple[Positive, Positive, Positive], ...], ...] = key(
        (), "stage -> pathway -> pooling of keys and values (frames, height, width); empty: 1, 2, 2"
    )

    @model_validator(mode="after")
    def _one_pool(self) -> NonLocal:
        if len({pool for pathways in self.POOL for pool in pathways}) > 1:
            raise UsageError("NONLOCAL.POOL must be the same for all stages and pathways")
        return self

    @property
    def pool(self) -> tuple[int, int, int]:
        """What every block pools by."""
        return self.POOL[0][0] if self.POOL and self.POOL[0] else (1, 2, 2)
