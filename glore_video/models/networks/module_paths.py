"""Paths of a network's blocks: by pattern, and those that a unit can stand after."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models.networks.eval_mode import eval_mode
from glore_video.models.networks.output_shapes import OutputSize, output_layout


def match_blocks(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Turns patterns into paths of blocks, in the order of the network, each once.

    Args:
        model: any network.
        patterns: paths as `model.named_modules()` names them; `*` stands for any part between two
            dots, or a piece of one: "layer3.*" names layer3.0, layer3.1, ... and not layer3.0.conv1.

    Raises:
        UsageError: a pattern that names nothing.
    """
    paths = [path for path, _ in model.named_modules() if path and not _in_unit(path)]
    found: set[str] = set()
    for pattern in patterns:
        regular = re.compile(re.escape(pattern).replace(r"\*", "[^.]*"))
        named = [path for path in paths if regular.fullmatch(path)]
        if not named:
            near = difflib.get_close_matches(pattern, paths, n=3, cutoff=0.4)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise UsageError(f"the network has no block {pattern!r}{hint}")
        found.update(named)
    return [path for path in paths if path in found]


def find_block(model: nn.Module, path: str) -> nn.Module:
    """The module at a path, which a unit is to follow.

    Raises UsageError if there is none, or one that is never called as a module.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    if not path or path not in modules:
        near = difflib.get_close_matches(path, modules, n=3, cutoff=0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise UsageError(f"the network has no block {path!r}{hint}")
    block = modules[path]
    own_forward = type(block).forward is not nn.Sequential.forward
    if isinstance(block, (nn.Sequential, nn.ModuleList, nn.ModuleDict)) and own_forward:
        raise UsageError(
            f"{path!r} is a container ({type(block).__name__}) that calls its children by itself; "
            f"name a block inside it"
        )
    return block


def blocks_for_units(
    model: nn.Module, input_shape: Sequence[int]
) -> dict[str, tuple[OutputSize, str]]:
    """Blocks that a unit can stand after, as `insert_glore(after=...)` takes them.

    Blocks are modules with more than two layers in them, which the network calls once and which
    return one feature map with as many position axes or tokens; stages that are sequences of blocks
    are left out, since their last block stands for them. Of a network without such a block (VGG, a
    sequence of single layers; MViT, whose blocks return several tensors), or with one position
    after each, modules of two layers are taken as well, or else single layers.

    Args:
        model: any network; it is run on zeros, up to three times.
        input_shape: of one sample.

    Returns:
        path -> (channels and layout, positions as text: "14 x 14").
    """
    found: dict[str, tuple[OutputSize, str]] = {}
    for smallest in (3, 2, 1):
        blocks = {
            path: module
            for path, module in model.named_modules()
            if path and not _in_unit(path) and _is_block(module, smallest)
        }
        found = _one_feature_map_each(model, blocks, input_shape)
        if any(set(positions.split(" x ")) != {"1"} for _, positions in found.values()):
            break
    return found


def _one_feature_map_each(
    model: nn.Module, blocks: Mapping[str, nn.Module], input_shape: Sequence[int]
) -> dict[str, tuple[OutputSize, str]]:
    """Those of the blocks that run once and return one feature map whose layout can be told."""
    calls: dict[nn.Module, list[Any]] = {}

    def note(block: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        calls.setdefault(block, []).append(output)

    hooks = [block.register_forward_hook(note) for block in blocks.values()]
    like = next(model.parameters())
    try:
        with eval_mode(model), torch.no_grad():
            model(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    found = {}
    for path, block in blocks.items():
        outputs = calls.get(block, [])
        if len(outputs) != 1 or not isinstance(outputs[0], Tensor):
            continue
        if not 3 <= outputs[0].dim() <= 5:
            continue
        try:
            layout = output_layout(path, block, outputs[0])
        except UsageError:
            continue
        sizes = list(outputs[0].shape[1:])
        channels = sizes.pop(0 if layout == "channels_first" else -1)
        size = OutputSize(channels, len(sizes), layout)
        found[path] = (size, " x ".join(map(str, sizes)))
    return found


def _is_block(module: nn.Module, smallest: int) -> bool:
    """Whether it has so many layers, or more, and is not a sequence of blocks."""
    layers = sum(
        not _in_unit(path) and next(each.parameters(recurse=False), None) is not None
        for path, each in module.named_modules()
    )
    sequence = isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))
    # A sequence of two or one layers, such as the two of a transformer, is no stage.
    return layers >= smallest and not (sequence and layers > 2)


def _in_unit(path: str) -> bool:
    return not {"glore", "nonlocal_block"}.isdisjoint(path.split("."))
