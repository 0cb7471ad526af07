"""What can be chosen of a GloRe unit, and what excludes what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from glore_video.errors import UsageError
from glore_video.models.units.glore_unit_orders import EXPERIMENTAL_ORDERS, ORDERS, Order
from glore_video.models.units.unit_ends import ENDS, End

Form = Literal["post", "preactivated"]
FORMS: tuple[Form, ...] = ("post", "preactivated")
Layout = Literal["channels_first", "channels_last"]
LAYOUTS: tuple[Layout, ...] = ("channels_first", "channels_last")


def check_options(
    *, form: Form, end: End, relu: bool, scale: float, order: Order, layout: Layout
) -> None:
    """Raises UsageError for what does not exist or does not go together; arguments as `GloreUnit`."""
    _check_choice("layout", layout, LAYOUTS)
    check_order(order)
    _check_choice("form", form, FORMS)
    _check_choice("end", end, ENDS)
    if form == "preactivated" and (end != "batch_norm" or not relu):
        raise UsageError(
            f"end and relu are of the form post; a preactivated unit has nothing at its end and a "
            f"ReLU before each convolution, got end={end!r}, relu={relu}"
        )
    number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
    if not number or not 0 < scale < math.inf:
        raise UsageError(f"scale must be a positive number, got {scale!r}")


def check_order(order: Order) -> None:
    """Raises UsageError for an order of products that does not exist."""
    _check_choice("order", order, (*ORDERS, *EXPERIMENTAL_ORDERS))


def _check_choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{name} must be one of {', '.join(known)}, got {value!r}")
