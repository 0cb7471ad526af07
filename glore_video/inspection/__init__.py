"""Seeing where a network reasons: what its GloRe units project onto their nodes."""

from glore_video.inspection.grad_cam import grad_cam
from glore_video.inspection.projection import (
    UnitInspection,
    inspect_units,
    projection_maps,
)

__all__ = ["UnitInspection", "grad_cam", "inspect_units", "projection_maps"]
