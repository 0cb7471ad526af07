"""Names of parameters in EfficientNet-PyTorch's checkpoints (EfficientNets, Lite too), as timm has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

EFFICIENTNET_STEM = "_conv_stem.weight"
"""A key that such checkpoints have."""

_LAYERS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
# The first blocks do not widen their input: all other layers move up by one.
_NARROW = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_WIDENING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def efficientnet_names(own: Iterable[str]) -> Callable[[str], str] | None:
    """Translates keys for a network of timm whose keys are `own`; None if it is no EfficientNet.

    There blocks are counted over the whole network, in timm by stage: they stand in the same order.
    A key that no rule covers keeps its name.
    """
    blocks = _blocks(own)
    if not blocks:
        return None

    def translate(key: str) -> str:
        layer, _, parameter = key.rpartition(".")
        if layer in _LAYERS:
            return f"{_LAYERS[layer]}.{parameter}"
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", layer)
        if not match or int(match[1]) >= len(blocks):
            return key
        path, widens = blocks[int(match[1])]
        names = (_WIDENING if widens else _NARROW) | _SQUEEZE
        return f"{path}.{names[match[2]]}.{parameter}" if match[2] in names else key

    return translate


def _blocks(own: Iterable[str]) -> list[tuple[str, bool]]:
    """Paths of the blocks in order, and whether each widens its input first."""
    found: dict[tuple[int, int], bool] = {}
    for key in own:
        match = re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(conv_dw|conv_pwl)\.weight", key)
        if match:
            place = int(match[1]), int(match[2])
            found[place] = found.get(place, False) or match[3] == "conv_pwl"
    return [(f"blocks.{stage}.{block}", found[stage, block]) for stage, block in sorted(found)]
