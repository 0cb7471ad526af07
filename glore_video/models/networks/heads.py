"""The classifier of a network: the layers whose outputs are the logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd

from glore_video.models.networks.inserted_units import glore_units, inserted_units
from glore_video.models.units.glore_unit import GloreUnit


def head_paths(model: nn.Module) -> tuple[str, ...]:
    """Paths of the layers whose outputs are the logits; empty if there is none.

    A network of timm has them on record (`pretrained_cfg`), a `SegmentationNetwork` in its heads. Of
    others it is the last linear layer or
    convolution outside of inserted units, and with it those of the same kind and width that stand
    beside it or end another part of the network: auxiliary and second classifiers. (A linear layer
    that the network holds itself goes before convolutions that come later.)

    Args:
        model: any network, also one that a single module wraps (DistributedDataParallel).
    """
    model, prefix = _unwrapped(model)
    return tuple(prefix + path for path in _recorded(model) or _last_layers(model))


def head_parts(model: nn.Module) -> tuple[str, ...]:
    """Paths of what a network adds to the backbone of a classifier: whole heads for dense prediction.

    Of other networks as `head_paths`.
    """
    inside, prefix = _unwrapped(model)
    return tuple(prefix + name for name in _dense_heads(inside)) or head_paths(model)


def units_that_may_normalize(model: nn.Module) -> dict[str, GloreUnit]:
    """GloRe units of which GLORE.NORMALIZE and `normalize` of `insert_glore` speak, by their path.

    Those within the head of a segmentation network do what its form says (`SegmentationHead`).
    """
    inside, prefix = _unwrapped(model)
    heads = tuple(f"{prefix}{name}." for name in _dense_heads(inside))
    return {path: unit for path, unit in glore_units(model).items() if not path.startswith(heads)}


def head_path(model: nn.Module) -> str | None:
    """The last of `head_paths`, if there is one."""
    paths = head_paths(model)
    return paths[-1] if paths else None


def num_outputs(model: nn.Module) -> int | None:
    """Outputs of the layer at `head_path`; None if there is none."""
    path = head_path(model)
    return None if path is None else len(model.get_submodule(path).weight)  # type: ignore[arg-type]


def renew_head(model: nn.Module, path: str, width: int) -> None:
    """Puts a new layer of the same kind, with another number of outputs, in a classifier's place."""
    old: Any = model.get_submodule(path)
    if isinstance(old, nn.Linear):
        new: Any = nn.Linear(old.in_features, width)
    else:
        new = type(old)(old.in_channels, width, kernel_size=old.kernel_size)
    nn.init.normal_(new.weight, std=0.01)
    nn.init.zeros_(new.bias)
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, new)


def _unwrapped(model: nn.Module) -> tuple[nn.Module, str]:
    """What a single module, or several, wrap, and the prefix of its paths."""
    prefix = ""
    while len(children := dict(model.named_children())) == 1 and not _recorded(model):
        ((name, inside),) = children.items()
        if not list(inside.children()):
            break
        model, prefix = inside, f"{prefix}{name}."
    return model, prefix


def _dense_heads(model: nn.Module) -> tuple[str, ...]:
    """Children of a network for dense prediction that end with a classifier of their own."""
    names: tuple[str, ...] = getattr(model, "head_names", ())
    return names


def _recorded(model: nn.Module) -> tuple[str, ...]:
    """What a network says itself, or timm notes of it, as far as the network has it."""
    if heads := _dense_heads(model):
        return tuple(f"{name}.classifier" for name in heads)
    record = getattr(model, "pretrained_cfg", None)
    paths = record.get("classifier") if isinstance(record, Mapping) else None
    paths = (paths,) if isinstance(paths, str) else tuple(paths or ())
    there = dict(model.named_modules())
    return tuple(path for path in paths if path in there)


def _last_layers(model: nn.Module) -> tuple[str, ...]:
    units = tuple(f"{path}." for path in inserted_units(model))
    layers: dict[str, nn.Linear | _ConvNd] = {
        path: module
        for path, module in model.named_modules()
        if path and isinstance(module, (nn.Linear, _ConvNd)) and not path.startswith(units)
    }
    if not layers:
        return ()
    main = list(layers)[-1]
    own = [p for p, layer in layers.items() if isinstance(layer, nn.Linear) and "." not in p]
    if own and not isinstance(layers[main], nn.Linear):
        main = own[-1]
    return (*_beside(main, layers), main)


def _beside(main: str, layers: Mapping[str, nn.Linear | _ConvNd]) -> list[str]:
    """Layers that give logits like the main one does."""
    kind, (into, out) = type(layers[main]), _widths(layers[main])
    if into == out:  # one that comes before it in a row would look the same
        return []
    parts = {path.partition(".")[0]: path for path in layers}  # part -> its last layer
    return [
        path
        for path, layer in layers.items()
        if path != main
        and type(layer) is kind
        and _widths(layer)[1] == out
        and (path.rpartition(".")[0] == main.rpartition(".")[0] or path in parts.values())
    ]


def _widths(layer: nn.Linear | _ConvNd) -> tuple[int, int]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels
