"""Networks by name."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks import backbones
from glore_video.models.networks.fcn import SegmentationNetwork
from glore_video.models.networks.heads import (
    head_parts,
    head_paths,
    units_that_may_normalize,
)
from glore_video.models.networks.inserted_units import is_unit_key
from glore_video.models.networks.insertion import insert_glore, insert_nonlocal
from glore_video.models.networks.preact_resnet2d import PreactResNet2d
from glore_video.models.networks.preact_resnet3d import PreactResNet3d
from glore_video.models.networks.sources import build_foreign, is_foreign
from glore_video.models.networks.stages import locate
from glore_video.models.networks.tiny import TinyResNet2d, TinyResNet3d
from glore_video.models.segmentation import (
    backbone_of,
    build_named_segmentation,
    list_segmentation_models,
)
from glore_video.models.weights.files import StoredWeights
from glore_video.models.weights.foreign_keys import to_our_keys
from glore_video.models.weights.load_report import LoadReport
from glore_video.models.weights.loading import UnfitWeightsError, load_weights, stored_weights
from glore_video.models.weights.published import weights_url

_log = logging.getLogger(__name__)

Location = Sequence[Sequence[Sequence[int]]]

ARCHITECTURES = ("preact", *backbones.RESNETS, "slowfast", "tiny", "tiny2d")
PICTURE_ARCHITECTURES = ("tiny2d",)
"""Those of ARCHITECTURES that take pictures; the others take clips."""

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


_PICTURES = "preact2d"

# Instantiations are those of SlowFast's *_NLN_* configs.
_MODELS: dict[str, _Recipe] = {
    "preact_r50_8x8": _Recipe("preact", 50),
    "preact_r101_8x8": _Recipe("preact", 101),
    "preact_resnet50_2d": _Recipe(_PICTURES, 50),
    "preact_resnet101_2d": _Recipe(_PICTURES, 101),
    "preact_resnet200_2d": _Recipe(_PICTURES, 200),
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
    """Names of networks for classification that `create_model` knows."""
    return list(_MODELS)


def check_name(name: str) -> None:
    """Raises UsageError for a name that is not of the zoo, with the nearest that are."""
    known = [*_MODELS, *list_segmentation_models()]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"nearest: {', '.join(near)}; " if near else ""
        raise UsageError(
            f"unknown model {name!r}; {hint}list_models() and list_segmentation_models() name all, and "
            "those of other packages begin with timm/, torchvision/, torchvision/video/ or pytorchvideo/"
        )


def takes_pictures(name: str) -> bool:
    """Whether a network of the zoo takes pictures; the others take clips."""
    return name not in _MODELS or _MODELS[name].arch == _PICTURES


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    pretrained: bool | str | Path = False,
    glore_after: Sequence[str] = (),
    glore_units: Sequence[int] | None = None,
    glore_options: Mapping[str, Any] = MappingProxyType({}),
    options: Mapping[str, Any] = MappingProxyType({}),
) -> nn.Module:
    """Builds a network by name: of the zoo, or of timm, torchvision or pytorchvideo.

    With `pretrained`, GloRe units are built with the `normalize` that the file was trained with,
    where it tells (off in the published GloRe weights), else on. Two parts may be new, which is
    logged as a warning: the classifier, if `num_classes` is given and the file has another number
    of classes; and the units, if the file has none (they then change nothing until trained).

    Args:
        name: one of `list_models()` or `list_segmentation_models()`, or "timm/resnet50",
            "torchvision/resnet50", "torchvision/video/r3d_18", "pytorchvideo/x3d_s" and the like, with
            the tag of published weights if wanted ("timm/resnet50.a1_in1k").
        num_classes: width of the logits; by default 400 of networks for clips, 1000 for pictures and 19
            (Cityscapes') for segmentation, of other packages' networks the published number.
        pretrained: True for the published weights, of a network for segmentation those of its backbone;
            a file or URL of weights for this network (see `load_weights`), or for its backbone; or
            False for none.
        glore_after: blocks to insert a GloRe unit after, paths or patterns (see `match_blocks`).
        glore_units: instead of `glore_after`, (n, m): n GloRe units on Res3 and m on Res4 (see
            `blocks_of_counts`).
        glore_options: of these units, as `insert_glore` takes them: {"nodes": 64, "end": "gamma"}.
        options: of another package's network, more arguments for its builder:
            {"drop_path_rate": 0.05}.

    Returns:
        A network that takes (batch, 3, frames, height, width) and returns logits
        (batch, num_classes); SlowFast also takes a list of a slow and a fast clip. Networks for
        pictures take (batch, 3, height, width).

    Raises:
        UsageError: for an unknown name, or weights that are not known or do not fit.
        MissingFileError: if there is no such file, or it cannot be downloaded.
    """
    if glore_after and glore_units is not None:
        raise UsageError("glore_after and glore_units exclude each other")
    places: dict[str, Any] = {}
    if glore_after:
        places = {"after": glore_after}
    elif glore_units is not None:
        places = {"units": glore_units}
    elif glore_options:
        raise UsageError("glore_options are of units that glore_after or glore_units place")
    places.update(glore_options)
    stored = None
    if is_foreign(name):
        model, info = build_foreign(
            name, num_classes=num_classes, pretrained=pretrained is True, options=options
        )
        if places:
            insert_glore(model, example=torch.zeros(1, *info.input_shape), **places)
        if pretrained and pretrained is not True:
            stored = stored_weights(pretrained)
    else:
        check_name(name)
        if options:
            raise UsageError(
                f"options are for networks of other packages, and {name} is of this one"
            )
        segments = name in list_segmentation_models()
        if pretrained and not (segments and pretrained is True):
            stored = stored_weights(weights_url(name) if pretrained is True else pretrained)
        if segments:
            backbone = pretrained is True
            model = build_named_segmentation(name, num_classes, pretrained_backbone=backbone)
        else:
            model = _build(_MODELS[name], num_classes)
        if places:
            insert_glore(model, **places)
    if stored is not None:
        report = _load(model, stored, new_head=num_classes is not None)
        new = sorted({report.group(key) for key in report.newly_initialised})
        level = logging.WARNING if new else logging.INFO
        _log.log(
            level, "%s: %s newly initialised\n%s", name, " and ".join(new) or "nothing", report
        )
    return model


def load_published_weights(model: nn.Module, name: str) -> LoadReport:
    """Loads the published weights of a network by name into one built like it, in place.

    Its classifier and its units may be new.

    Raises:
        UsageError, MissingFileError: as `create_model(name, pretrained=True)`.
    """
    if is_foreign(name) or name in list_segmentation_models():
        source = name if is_foreign(name) else backbone_of(name)
        published = build_foreign(source, pretrained=True)[0]
        return load_weights(model, published.state_dict(), allow=["head", "units"])
    return load_weights(model, weights_url(name), allow=["head", "units"])


def _build(recipe: _Recipe, num_classes: int | None) -> nn.Module:
    if recipe.arch == _PICTURES:
        classes = _checked_classes(1000 if num_classes is None else num_classes)
        return PreactResNet2d(recipe.depth, num_classes=classes)
    model = build_network(
        recipe.arch,
        depth=recipe.depth,
        num_classes=400 if num_classes is None else num_classes,
        zero_init_final_bn=True,
    )
    insert_glore(model, after=locate(model, recipe.glore))
    if recipe.nonlocal_:
        after = locate(model, recipe.nonlocal_)
        insert_nonlocal(model, after=after, instantiation=recipe.instantiation)
    return model


def _load(model: nn.Module, stored: StoredWeights, *, new_head: bool) -> LoadReport:
    """Loads weights into a network just built, which may follow them in what is not a weight."""
    ours = to_our_keys(stored, model)
    allow = []
    if not any(is_unit_key(key) for key in ours.state):
        allow.append("units")
    elif ours.normalize is not None:
        for unit in units_that_may_normalize(model).values():
            unit.normalize = ours.normalize
    heads = tuple(f"{path}." for path in head_parts(model))
    if not any(key.startswith(heads) for key in ours.state) and isinstance(
        model, SegmentationNetwork
    ):
        allow.append("head")  # a file of the backbone
    own = model.state_dict()
    for head in (f"{path}.weight" for path in head_paths(model)):
        if head not in ours.state or head not in own:
            continue
        classes, theirs = len(own[head]), len(ours.state[head])
        if theirs != classes and not new_head:
            raise UnfitWeightsError(
                f"{stored.name} has {theirs} classes, the network {classes}",
                classes=theirs,
                advice=f"give num_classes={theirs}, or num_classes={classes} for a new classifier",
            )
        if theirs != classes:
            allow.append("head")
    return load_weights(model, stored, allow=allow)


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
        raise UsageError(f"arch must be one of {', '.join(ARCHITECTURES)}, got {arch!r}")
    _checked_classes(num_classes)
    if arch == "tiny":
        return TinyResNet3d(num_classes, dropout_rate=dropout_rate)
    if arch == "tiny2d":
        return TinyResNet2d(num_classes, dropout_rate=dropout_rate)
    if arch == "preact":
        return PreactResNet3d(depth, num_classes=num_classes, dropout_rate=dropout_rate)
    shared: dict[str, Any] = {
        "num_classes": num_classes,
        "dropout_rate": dropout_rate,
        "zero_init_final_bn": zero_init_final_bn,
    }
    limits = num_block_temp_kernel
    if arch == "slowfast":
        return backbones.slowfast(depth, options=slowfast, num_block_temp_kernel=limits, **shared)
    first = None  # pathway; c2d has no temporal kernels to limit
    if limits is not None and arch in ("i3d", "slow"):
        first = [pathways[0] for pathways in limits]
    return backbones.resnet(arch, depth, num_block_temp_kernel=first, **shared)


def _checked_classes(number: int) -> int:
    if number < 1:
        raise UsageError(f"num_classes must be at least 1, got {number}")
    return number
