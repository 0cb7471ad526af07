"""Where a network looks in a picture: its units and Grad-CAM, in the first view of a test."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from glore_video.inspection.grad_cam import grad_cam
from glore_video.inspection.look import Look
from glore_video.inspection.projection import UnitInspection, inspect_units
from glore_video.inspection.targets import Target
from glore_video.inspection.token_grid import on_grid
from glore_video.models import glore_units


@dataclass(frozen=True, kw_only=True)
class PictureLook(Look):
    """What was seen of a picture.

    Attributes:
        view: what the network saw, uint8 (height, width, 3).
        units: path -> what the unit did; maps are (nodes, h, w).
        cam: Grad-CAM, (h, w); None if it was not asked for.
    """

    view: np.ndarray
    units: dict[str, UnitInspection]
    cam: Tensor | None

    @property
    def inputs(self) -> list[dict[str, UnitInspection]]:
        return [self.units]

    @property
    def words(self) -> str:
        return "the first view"


def inspect_picture(
    network: nn.Module, picture: Tensor, *, target: Target, cam: bool, layer: str
) -> tuple[dict[str, UnitInspection], Tensor | None]:
    """The units of a network and Grad-CAM, tokens put where they stand in the picture.

    Args:
        picture: the network's input, (1, 3, height, width).
        target: the class, or a function of the outputs, as `grad_cam` takes it.
        cam, layer: whether to compute Grad-CAM, and of which layer; see `grad_cam`.
    """
    size = (picture.shape[2], picture.shape[3])
    units: dict[str, UnitInspection] = {}
    if glore_units(network):
        found = inspect_units(network, picture, target=target).units
        units = {
            path: replace(unit, maps=on_grid(unit.maps, size, network))
            for path, unit in found.items()
        }
    heat = None
    if cam:
        heat = on_grid(grad_cam(network, picture, target=target, layer=layer)[None], size, network)[
            0
        ]
    return units, heat
