"""Paths of a network's residual blocks by stage, and places of units among them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from glore_video.errors import UsageError

# Names of stages among the children of a network: ours, torchvision's and timm's.
_STAGE_NAMES = (
    ("conv2", "conv3", "conv4", "conv5"),
    ("stage1", "stage2", "stage3", "stage4"),
    ("stage1", "stage2"),
    ("layer1", "layer2", "layer3", "layer4"),
    ("s1", "s2", "s3", "s4"),
)
# (units, blocks) -> 0-based blocks, where the rule would place them elsewhere.
_PLACES = {(2, 24): (11, 17), (3, 36): (15, 23, 31)}


def stage_blocks(model: nn.Module) -> list[list[list[str]]]:
    """Paths of a network's residual blocks: stage -> pathway -> blocks in order.

    Stages are Res2 to Res5 (`TinyResNet3d`: its own two). Only SlowFast has a second pathway, the
    fast one. Known are the networks of this package and pytorchvideo, and those of timm and
    torchvision that are built like a ResNet: `layer1` to `layer4` (ResNet, ResNeXt, SE-ResNet and
    kin, also as the backbone of a segmentation network), `s1` to `s4` and `stages` (RegNet, ConvNeXt,
    pre-activation ResNet), and DPN.

    Raises:
        UsageError: for a network whose stages are not known.
    """
    stages = _stages_of_children(model) or _pytorchvideo_stages(model)
    if not stages:
        backbone = getattr(model, "backbone", None)
        if isinstance(backbone, nn.Module):
            stages = [
                [[f"backbone.{path}" for path in blocks] for blocks in pathways]
                for pathways in _stages_of_children(backbone)
            ]
    if not stages:
        raise UsageError(
            f"the stages of a {type(model).__name__} are not known; name its blocks by path"
        )
    return stages


def _stages_of_children(model: nn.Module) -> list[list[list[str]]]:
    """Stages that are children of the network, or children of one child; empty if there are none."""
    children = dict(model.named_children())
    for names in _STAGE_NAMES:
        if all(name in children and _host_names(children[name]) for name in names):
            return [[_paths(name, children[name])] for name in names]
    stages = children.get("stages")
    if isinstance(stages, nn.Sequential) and len(stages) == 4:
        return [[_paths(f"stages.{name}", stage)] for name, stage in stages.named_children()]
    features = children.get("features")
    if isinstance(features, nn.Sequential):
        of_dpn = [re.fullmatch(r"conv([2-5])_\d+", name) for name in _host_names(features)]
        numbered = [(match[1], f"features.{match[0]}") for match in of_dpn if match]
        blocks = [[path for number, path in numbered if number == stage] for stage in "2345"]
        if all(blocks):
            return [[each] for each in blocks]
    return []


def _pytorchvideo_stages(model: nn.Module) -> list[list[list[str]]]:
    stages = []
    blocks = getattr(model, "blocks", None)
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


def blocks_of_counts(model: nn.Module, units: Sequence[int]) -> list[str]:
    """Blocks that (n, m) units stand after: n on Res3 and m on Res4, as the paper counts them.

    A stage is divided into as many equal parts as it has units; each stands after the last block
    that ends at or before the middle of its part: blocks 1, 3 and 5 of 6, 1 and 3 of 4, 3, 11 and 19
    of 23. Where there are more units than half the blocks, it is the block that the middle lies in.
    Two stages have units where those of the ResNet-200 of MindSpore's port stand: 2 among 24 blocks
    after 12 and 18, 3 among 36 after 16, 24 and 32. In SlowFast units stand on the slow pathway.

    Args:
        model: a network whose four stages are known (`stage_blocks`).
        units: two numbers.

    Returns:
        Paths in the order of the network.

    Raises:
        UsageError: for anything but two numbers, a network without four stages, or more units than
            blocks.
    """
    counts = _checked_counts(units)
    stages = stage_blocks(model)
    if len(stages) != 4:
        raise UsageError(
            f"units are counted on Res3 and Res4 of networks with four stages; a "
            f"{type(model).__name__} has {len(stages)}: name its blocks by path"
        )
    paths = []
    for name, count, (blocks, *_) in zip(("Res3", "Res4"), counts, stages[1:3], strict=True):
        if count > len(blocks):
            raise UsageError(
                f"{count} units on {name} of a {type(model).__name__}, which has "
                f"{len(blocks)} blocks there"
            )
        paths += [blocks[index] for index in spread(count, len(blocks))]
    return paths


def spread(units: int, blocks: int) -> list[int]:
    """0-based blocks of a stage that so many units stand after; see `blocks_of_counts`."""
    if (units, blocks) in _PLACES:
        return list(_PLACES[units, blocks])
    before = 1 if 2 * units <= blocks else 0
    return [(2 * part + 1) * blocks // (2 * units) - before for part in range(units)]


def _checked_counts(units: Sequence[int]) -> tuple[int, int]:
    wanted = "two numbers, units on Res3 and on Res4, as (0, 3)"
    if isinstance(units, (str, bytes)) or not isinstance(units, Sequence) or len(units) != 2:
        raise UsageError(f"units must be {wanted}, got {units!r}")
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in units):
        raise UsageError(f"units must be {wanted}, got {tuple(units)}")
    return units[0], units[1]


def _paths(name: str, stage: nn.Module) -> list[str]:
    """Blocks of a stage, which are its children, or those of its child `blocks`."""
    blocks = getattr(stage, "blocks", None)
    if isinstance(blocks, nn.Sequential):
        return _paths(f"{name}.blocks", blocks)
    return [f"{name}.{block}" for block in _host_names(stage)]


def _host_names(stage: nn.Module) -> list[str]:
    """Children of a stage, without a unit inserted after the stage as a whole."""
    return [name for name, _ in stage.named_children() if name not in ("glore", "nonlocal_block")]
