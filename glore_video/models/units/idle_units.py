"""Inserted units that a network never runs, since it does not call the blocks behind which they stand.

A unit is run by a hook on its block, or as the last layer of a Sequential. Neither happens where the
network calls `block.forward`, picks layers out of a Sequential, or is an fx.GraphModule, whose
blocks are only names. That shows in the network's first forward pass: hooks on units and network
watch for it, and go when all have run. They are functions of this module, so that copies and
pickles of the network keep them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from glore_video.errors import UsageError

_RAN_COMPILED = "ran_compiled"


def watch_units(model: nn.Module, units: Iterable[nn.Module]) -> None:
    """From now on, a forward pass of the model warns of those of these units that never ran."""
    for unit in units:
        unit.register_forward_hook(_note_run)
    if _warn_of_idle_units not in model._forward_hooks.values():
        model.register_forward_hook(_warn_of_idle_units)


def idle_units(model: nn.Module) -> list[str]:
    """Paths of inserted units that have not run since they were inserted."""
    return [
        path
        for path, unit in model.named_modules()
        if _note_run in unit._forward_hooks.values() and not unit.__dict__.get(_RAN_COMPILED)
    ]


def refuse_idle_units(model: nn.Module) -> None:
    """Raises UsageError that names the idle units, for use after a forward pass; else stops watching."""
    if _warn_of_idle_units not in model._forward_hooks.values():
        return
    idle = idle_units(model)
    if idle:
        raise UsageError(_named(idle))
    # Units that ran compiled keep theirs.
    remove_hooks(model, _warn_of_idle_units)


def is_watched(model: nn.Module) -> bool:
    """Whether the next forward pass is to tell which units it runs, of the model or of one inside it.

    That pass must not be compiled: networks of one kind share graphs, and torch does not ask whether one
    has hooks that the other lacks.
    """
    return any(_warn_of_idle_units in module._forward_hooks.values() for module in model.modules())


def note_run(unit: nn.Module) -> None:
    """For who runs a unit without its hooks."""
    if unit._forward_hooks:
        remove_hooks(unit, _note_run)


def stop_watching(model: nn.Module) -> None:
    """Forward passes of the model warn of nothing from now on, and units have no hooks of this module."""
    remove_hooks(model, _warn_of_idle_units)
    for module in model.modules():
        remove_hooks(module, _note_run)


def remove_hooks(module: nn.Module, hook: Callable[..., Any]) -> None:
    """Removes a forward hook that was registered as this very function."""
    for key in [key for key, other in module._forward_hooks.items() if other is hook]:
        del module._forward_hooks[key]


def _note_run(unit: nn.Module, inputs: Any, output: Any) -> None:
    if not torch.compiler.is_compiling():
        if not unit.__dict__.get(_RAN_COMPILED):  # without its hooks it would be compiled again
            remove_hooks(unit, _note_run)
    # Not torch.compiler.is_exporting(), which torch 2.11 takes for true whenever it compiles.
    elif not getattr(torch.compiler, "_is_exporting_flag", False):
        # A compiled pass does this each time; that hooks go it could not say.
        setattr(unit, _RAN_COMPILED, True)


def _warn_of_idle_units(model: nn.Module, inputs: Any, output: Any) -> None:
    if torch.compiler.is_compiling():
        return
    idle = idle_units(model)
    if idle:
        warnings.warn(_named(idle), stacklevel=2)
    else:
        remove_hooks(model, _warn_of_idle_units)


def _named(idle: list[str]) -> str:
    return (
        f"units that did not run when the network ran: {', '.join(idle)}. Units run when their block "
        "is called: not by block.forward(x), by layers picked out of a Sequential, or in an "
        "fx.GraphModule. Call the block itself, name another one (after=..., GLORE.AFTER), or insert "
        "before tracing"
    )
