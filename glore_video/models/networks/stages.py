"""Paths of a network's residual blocks by stage, and places of units among them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from glore_video.errors import UsageError


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


def _host_names(stage: nn.Module) -> list[str]:
    """Children of a stage, without a unit inserted after the stage as a whole."""
    return [name for name, _ in stage.named_children() if name not in ("glore", "nonlocal_block")]
