"""Networks by name."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from glore_video.models import backbones
from glore_video.models.insertion import insert_glore, insert_nonlocal
from glore_video.models.locations import locate
from glore_video.models.preact_resnet3d import PreactResNet3d
from glore_video.models.tiny3d import TinyResNet3d
from glore_video.models.weights import load_weights

_log = logging.getLogger(__name__)

Location = Sequence[Sequence[Sequence[int]]]

ARCHITECTURES = ("preact", "c2d", "c2d_nopool", "i3d", "slow", "slowfast", "tiny")

# +2 units on Res3, +3 on Res4; in SlowFast on the slow pathway.
_GLORE_R50: Location = [[], [[0, 2]], [[0, 2, 4]]]
_GLORE_R101: Location = [[], [[0, 2]], [[5, 11, 17]]]
_NONLOCAL: Location = [[], [[1, 3]], [[1, 3, 5]]]


@dataclass(frozen=True)
class _Recipe:
    arch: str
    depth: int
    glore: Location = ()
    nonlocal_: Location = ()
    instantiation: Literal["softmax", "dot_product"] = "softmax"


# Instantiations are those of SlowFast's *_NLN_* configs.
_MODELS: dict[str, _Recipe] = {
    "preact_r50_8x8": _Recipe("preact", 50),
    "preact_r101_8x8": _Recipe("preact", 101),
    "glore_r50_8x8": _Recipe("preact", 50, glore=_GLORE_R50),
    "glore_r101_8x8": _Recipe("preact", 101, glore=_GLORE_R101),
    "c2d_r50": _Recipe("c2d", 50),
    "i3d_r50": _Recipe("i3d", 50),
    "slow_r50": _Recipe("slow", 50),
    "slowfast_r50": _Recipe("slowfast", 50),
    "glore_c2d_r50": _Recipe("c2d", 50, glore=_GLORE_R50),
    "glore_i3d_r50": _Recipe("i3d", 50, glore=_GLORE_R50),
    "glore_slow_r50": _Recipe("slow", 50, glore=_GLORE_R50),
    "glore_slowfast_r50": _Recipe("slowfast", 50, glore=_GLORE_R50),
    "nonlocal_c2d_r50": _Recipe("c2d", 50, nonlocal_=_NONLOCAL),
    "nonlocal_i3d_r50": _Recipe("i3d", 50, nonlocal_=_NONLOCAL),
    "nonlocal_slow_r50": _Recipe("slow", 50, nonlocal_=_NONLOCAL, instantiation="dot_product"),
    "nonlocal_slowfast_r50": _Recipe(
        "slowfast", 50, nonlocal_=_NONLOCAL, instantiation="dot_product"
    ),
}


def list_models() -> list[str]:
    """Names that `create_model` knows."""
    return list(_MODELS)


def create_model(
    name: str, *, num_classes: int = 400, pretrained: bool | str | Path = False
) -> nn.Module:
    """Builds a network of the zoo.

    Args:
        name: one of `list_models()`.
        num_classes: width of the logits.
        pretrained: a file of weights for this network (see `load_weights`; a head for another
            number of classes is not taken), or False for none.

    Returns:
        A network that takes (batch, 3, frames, height, width) and returns logits
        (batch, num_classes); SlowFast also takes a list of a slow and a fast clip.

    Raises:
        ValueError: for an unknown name, or weights that are not known or do not fit.
        FileNotFoundError: if there is no such file.
    """
    if name not in _MODELS:
        near = difflib.get_close_matches(name, _MODELS, n=3, cutoff=0.4)
        hint = f"nearest: {', '.join(near)}; " if near else ""
        raise ValueError(f"unknown model {name!r}; {hint}list_models() names all")
    if pretrained is True:
        raise ValueError(f"no published weights are known for {name!r}; give the path of a file")
    recipe = _MODELS[name]
    model = build_network(
        recipe.arch, depth=recipe.depth, num_classes=num_classes, zero_init_final_bn=True
    )
    insert_glore(model, after=locate(model, recipe.glore))
    if recipe.nonlocal_:
        after = locate(model, recipe.nonlocal_)
        insert_nonlocal(model, after=after, instantiation=recipe.instantiation)
    if pretrained:
        report = load_weights(model, str(pretrained), allow=("head",))
        _log.info("%s from %s\n%s", name, pretrained, report)
    return model


def build_network(
    arch: str,
    *,
    depth: int = 50,
    num_classes: int = 400,
    dropout_rate: float = 0.5,
    zero_init_final_bn: bool = False,
    slowfast: backbones.SlowFastOptions | None = None,
    num_block_temp_kernel: Sequence[Sequence[int]] | None = None,
) -> nn.Module:
    """Builds a plain network, to which units can be added with `insert_glore`.

    Args:
        arch: one of `ARCHITECTURES`.
        depth: 50 or 101 (no effect on tiny).
        num_classes: width of the logits.
        dropout_rate: before the classifier.
        zero_init_final_bn: start the last batch norm of every block at zero (no effect on preact
            and tiny, whose blocks end otherwise).
        slowfast: what slowfast adds (no effect on others).
        num_block_temp_kernel: stage -> pathway -> number of blocks with temporal kernels, as in
            SlowFast's RESNET.NUM_BLOCK_TEMP_KERNEL; all by default (i3d, slow, slowfast; no effect
            on others).

    Raises:
        ValueError: for an unknown architecture or a value out of range.
    """
    if arch not in ARCHITECTURES:
        raise ValueError(f"arch must be one of {', '.join(ARCHITECTURES)}, got {arch!r}")
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    if arch == "tiny":
        return TinyResNet3d(num_classes, dropout_rate=dropout_rate)
    if arch == "preact":
        return PreactResNet3d(depth, num_classes=num_classes, dropout_rate=dropout_rate)
    if arch in ("c2d", "c2d_nopool"):
        build_2d = {"c2d": backbones.c2d, "c2d_nopool": backbones.c2d_nopool}[arch]
        return build_2d(
            depth,
            num_classes=num_classes,
            dropout_rate=dropout_rate,
            zero_init_final_bn=zero_init_final_bn,
        )
    if arch == "slowfast":
        return backbones.slowfast(
            depth,
            num_classes=num_classes,
            dropout_rate=dropout_rate,
            zero_init_final_bn=zero_init_final_bn,
            options=slowfast,
            num_block_temp_kernel=num_block_temp_kernel,
        )
    limits = None
    if num_block_temp_kernel is not None:
        limits = [pathways[0] for pathways in num_block_temp_kernel]
    build_3d = {"i3d": backbones.i3d, "slow": backbones.slow}[arch]
    return build_3d(
        depth,
        num_classes=num_classes,
        dropout_rate=dropout_rate,
        zero_init_final_bn=zero_init_final_bn,
        num_block_temp_kernel=limits,
    )
