"""The units of a network: where they are, their keys, their zero initialisation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from glore_video.models.units.glore_unit import GloreUnit

GLORE = "glore"
NONLOCAL = "nonlocal_block"


def glore_units(model: nn.Module) -> dict[str, GloreUnit]:
    """All GloRe units of a network by their path, inserted ones (`<block>.glore`) and others."""
    return {path: m for path, m in model.named_modules() if isinstance(m, GloreUnit)}


def inserted_units(model: nn.Module) -> dict[str, nn.Module]:
    """All GloRe units and inserted non-local blocks of a network by their path."""
    return {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, GloreUnit) or path.rpartition(".")[2] == NONLOCAL
    }


def is_unit_key(key: str) -> bool:
    """Whether a key of a state dict belongs to an inserted unit."""
    return not {GLORE, NONLOCAL}.isdisjoint(key.split("."))


def zero_init_units(model: nn.Module, paths: Sequence[str] | None = None) -> None:
    """Makes units the identity again, e.g. after a model-wide initialisation.

    Args:
        model: a network with inserted units.
        paths: units to reset, as `inserted_units` names them; all by default.
    """
    units = inserted_units(model)
    for path in units if paths is None else paths:
        zero_init_unit(units[path])


def zero_init_unit(unit: nn.Module) -> None:
    """Makes one unit, GloRe or non-local, the identity."""
    if isinstance(unit, GloreUnit):
        unit.zero_init()
        return
    for parameter in unit.norm.parameters():  # type: ignore[union-attr]
        nn.init.zeros_(parameter)
