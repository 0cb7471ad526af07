"""Paths of a network's blocks: by stage as SlowFast locates them, or by pattern."""

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


def stage_blocks(model: nn.Module) -> list[list[list[str]]]:
    """Paths of a network's residual blocks: stage -> pathway -> blocks in order.

    Stages are Res2 to Res5 (`TinyResNet3d`: its own two). Only SlowFast has a second pathway, the
    fast one.

    Raises:
        ValueError: for a network of another kind than this package builds.
    """
    children = dict(model.named_children())
    top = [name for name in children if re.fullmatch(r"conv[2-5]|stage\d+", name)]
    if top:
        return [[[f"{name}.{block}" for block in _host_names(children[name])]] for name in top]
    stages = []
    blocks = children.get("blocks")
    for index, stage in blocks.named_children() if isinstance(blocks, nn.ModuleList) else ():
        pathways = {f"blocks.{index}": stage}
        multiple = getattr(stage, "multipathway_blocks", None)
        if isinstance(multiple, nn.ModuleList):
            pathways = {
                f"blocks.{index}.multipathway_blocks.{i}": pathway
                for i, pathway in multiple.named_children()
            }
        if all(hasattr(pathway, "res_blocks") for pathway in pathways.values()):
            stages.append(
                [
                    [f"{path}.res_blocks.{i}" for i in range(len(pathway.res_blocks))]  # type: ignore[arg-type]
                    for path, pathway in pathways.items()
                ]
            )
    if not stages:
        raise UsageError(
            f"the stages of a {type(model).__name__} are not known; name its blocks by path"
        )
    return stages


def locate(model: nn.Module, location: Sequence[Sequence[Sequence[int]]]) -> list[str]:
    """Turns a location as in SlowFast's NONLOCAL.LOCATION into paths of blocks.

    Args:
        model: a network of this package.
        location: stage -> pathway -> 0-based block indices. Stages and pathways may be left off at
            the end. [[[]], [[0, 2]], [[0, 2, 4]], [[]]]: blocks 0 and 2 of Res3, 0, 2, 4 of Res4.

    Returns:
        Paths in the order of the location, for `insert_glore(after=...)`.

    Raises:
        ValueError: for a stage, pathway or block that the network does not have.
    """
    stages = stage_blocks(model)
    if len(location) > len(stages):
        raise UsageError(f"{len(location)} stages are located, the network has {len(stages)}")
    paths = []
    for s, pathways in enumerate(location):
        if len(pathways) > len(stages[s]):
            raise UsageError(
                f"{len(pathways)} pathways are located in stage {s}, which has {len(stages[s])}: "
                f"{list(map(list, pathways))}"
            )
        for p, indices in enumerate(pathways):
            blocks = stages[s][p]
            for index in indices:
                if not 0 <= index < len(blocks):
                    raise UsageError(
                        f"no block {index} in stage {s}, pathway {p}, whose blocks are "
                        f"0 to {len(blocks) - 1} ({blocks[0]} ... {blocks[-1]})"
                    )
                paths.append(blocks[index])
    return paths


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


def _host_names(stage: nn.Module) -> list[str]:
    """Children of a stage, without a unit inserted after the stage as a whole."""
    return [name for name, _ in stage.named_children() if name not in ("glore", "nonlocal_block")]
