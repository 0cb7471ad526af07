"""Which order of its products a GloRe unit takes where it is left to choose (`order="auto"`)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from glore_video.models.units.device_rates import DeviceRates, device_rates
from glore_video.models.units.glore_unit_orders import cheaper_order
from glore_video.models.units.tensors import is_traced
from glore_video.models.units.unit_costs import (
    Chosen,
    UnitSizes,
    cheapest_order,
    explain_costs,
    explain_products,
)


def auto_order(
    unit: Any, positions: int, *, dtype: torch.dtype, device: torch.device, batch: int | None
) -> Chosen:
    """The order that takes the least time, or where the batch must not matter the fewest multiply-adds.

    It must not matter to what is compiled, exported or traced once for all batches, and to synchronised
    batch norms, over whose processes all have to ask for the same exchanges; nor has the meta device a
    speed. Then some number of positions decides: one comparison with a constant.

    Args:
        unit: a GloreUnit.
        positions: of a clip.
        dtype: of the products; not float16, in which the reassociated order alone stays in range.
        device: of the input.
        batch: clips; None if not known.
    """
    rates = _rates(unit, device, batch)
    if rates is not None:
        return cheapest_order(_sizes(unit, positions, batch), rates, **_pass_of(unit, dtype))
    fewest = cheaper_order(
        *(unit.channels, unit.nodes, unit.states, positions),
        preactivated=unit.form == "preactivated",
    )
    if fewest == "published":
        return "published"
    return "reassociated" if device.type in ("cpu", "meta") else "lean"


def explain_order(
    unit: Any,
    chosen: Chosen,
    positions: int,
    *,
    dtype: torch.dtype,
    device: torch.device,
    batch: int,
) -> str:
    """What each order costs, as lines of text; arguments as `auto_order`."""
    sizes = _sizes(unit, positions, batch)
    if not _is_counted(unit):
        return explain_products(chosen, sizes, preactivated=unit.form == "preactivated")
    return explain_costs(chosen, sizes, _rates(unit, device, batch), **_pass_of(unit, dtype))


def _rates(unit: Any, device: torch.device, batch: int | None) -> DeviceRates | None:
    """None where multiply-adds decide: see `auto_order`; nor are other costs known of other forms and ends."""
    if batch is None or torch.compiler.is_compiling() or is_traced() or device.type == "meta":
        return None
    return device_rates(device) if _is_counted(unit) else None


def _is_counted(unit: Any) -> bool:
    """Whether it is of the form whose operators `unit_costs` knows; synchronised norms are not."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return unit.form == "post" and type(unit.blocker) in norms


def _sizes(unit: Any, positions: int, batch: int | None) -> UnitSizes:
    return UnitSizes(unit.channels, unit.nodes, unit.states, positions, batch or 1)


def _pass_of(unit: Any, dtype: torch.dtype) -> dict[str, Any]:
    return {
        "training": torch.is_grad_enabled(),
        "itemsize": dtype.itemsize,
        "casts": dtype != next(unit.parameters()).dtype,
    }
