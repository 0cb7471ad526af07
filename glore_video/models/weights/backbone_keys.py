"""Names of a classifier's parameters -> those of a network whose backbone was made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn


class BackboneWeights(NamedTuple):
    """A classifier's weights, as a network for segmentation names them.

    Attributes:
        state: `backbone.<key>` -> tensor.
        beside: keys that the backbone has no part of, the classifier's own layers.
    """

    state: dict[str, Tensor]
    beside: list[str]


def under_backbone(state: Mapping[str, Tensor], model: nn.Module) -> BackboneWeights | None:
    """Weights of a classifier, if they are one's that this network's child `backbone` comes from.

    Args:
        state: a state dict, none of whose keys is the network's.
    """
    backbone = model._modules.get("backbone")
    if backbone is None or not state.keys().isdisjoint(model.state_dict()):
        return None
    own, parts = backbone.state_dict(), dict(backbone.named_children())
    found = BackboneWeights({}, [])
    for key, value in state.items():
        # timm takes lists of stages apart: stages.0 is stages_0 there.
        flat = key.replace(".", "_", 1)
        name = flat if key not in own and flat.partition(".")[0] in parts else key
        if name.partition(".")[0] in parts:
            found.state[f"backbone.{name}"] = value
        else:
            found.beside.append(key)
    known = any(key.removeprefix("backbone.") in own for key in found.state)
    return found if known else None
