"""What a GloRe unit costs in each order of its products: launches, bytes, multiply-adds.

Launches and bytes are those of a unit of the form post with a batch norm at its end, counted by
operator; tests hold the numbers here to what runs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from glore_video.models.units.device_rates import DeviceRates
from glore_video.models.units.glore_unit_orders import multiply_adds

Chosen = Literal["published", "reassociated", "lean"]


class _Work(NamedTuple):
    """Of one pass: operators that are no views, and how often tensors of a size are read or written."""

    launches: int
    launches_cast: int  # with weights and input in float32 and products in less
    positions_channels: float
    positions_nodes: float
    positions_states: float
    nodes_channels: float
    nodes_states: float
    nodes_nodes: float
    weights: float


_TRAINING: dict[Chosen, _Work] = {
    "published": _Work(31, 50, 22, 15, 15, 0, 28, 0, 4),
    "reassociated": _Work(117, 156, 15, 19.5, 0, 45, 38, 10, 3.5),
    "lean": _Work(36, 42, 20, 13, 0, 13, 30, 1.5, 4),
}
_INFERENCE: dict[Chosen, _Work] = {
    "published": _Work(13, 23, 8, 5, 6, 0, 11, 0, 1.4),
    "reassociated": _Work(21, 33, 6, 4, 0, 6, 12, 0, 1.4),
    "lean": _Work(13, 15, 8, 4, 0, 4, 12, 0, 1.4),
}


class UnitCost(NamedTuple):
    """Of one pass of a unit: forward, or forward and backward.

    Attributes:
        launches: operators that do some work.
        bytes: read and written by them.
        multiply_adds: of products.
    """

    launches: int
    bytes: int
    multiply_adds: int


class UnitSizes(NamedTuple):
    channels: int
    nodes: int
    states: int
    positions: int
    batch: int


def unit_cost(
    order: Chosen, sizes: UnitSizes, *, training: bool, itemsize: int, casts: bool
) -> UnitCost:
    """Of one pass of a unit.

    Args:
        order: of the products.
        sizes: of the unit and its input.
        training: forward and backward, or forward.
        itemsize: bytes a number.
        casts: whether weights and input come in another dtype.
    """
    work = (_TRAINING if training else _INFERENCE)[order]
    channels, nodes, states, positions, batch = sizes
    over_positions = (
        work.positions_channels * channels
        + work.positions_nodes * nodes
        + work.positions_states * states
    )
    over_nodes = (
        work.nodes_channels * channels + work.nodes_states * states + work.nodes_nodes * nodes
    )
    weights = channels * (nodes + 2 * states) + nodes * nodes + states * states
    numbers = batch * (positions * over_positions + nodes * over_nodes) + work.weights * weights
    launches = work.launches_cast if casts else work.launches
    return UnitCost(launches, int(numbers * itemsize), batch * _products(order, sizes, training))


def _products(order: Chosen, sizes: UnitSizes, training: bool) -> int:
    """Multiply-adds of a clip."""
    channels, nodes, _, positions, _ = sizes
    forward = _forward_products(order, sizes)
    if not training:
        return forward
    if order == "reassociated":  # the covariance of B, and the variance of what it is mixed to
        return 3 * forward + 2 * nodes * nodes * (positions + channels)
    if order == "lean":  # what the batch norm takes, once more
        return 3 * forward + channels * nodes * positions
    return 3 * forward


def _forward_products(order: Chosen, sizes: UnitSizes, *, preactivated: bool = False) -> int:
    """Multiply-adds of a clip, forward: the lean order takes the reassociated one's."""
    return multiply_adds(
        *sizes[:4],
        "published" if order == "published" else "reassociated",
        preactivated=preactivated,
    )


@lru_cache(maxsize=4096)  # asked in each forward pass
def cheapest_order(
    sizes: UnitSizes, rates: DeviceRates, *, training: bool, itemsize: int, casts: bool
) -> Chosen:
    """The order that takes the least time by its costs and the rates of a device; see `unit_cost`."""

    def seconds(order: Chosen) -> float:
        cost = unit_cost(order, sizes, training=training, itemsize=itemsize, casts=casts)
        return rates.seconds(*cost, itemsize)

    return min(_TRAINING, key=seconds)


def explain_costs(
    chosen: Chosen,
    sizes: UnitSizes,
    rates: DeviceRates | None,
    *,
    training: bool,
    itemsize: int,
    casts: bool,
) -> str:
    """The costs of all orders as lines of text; arguments as `cheapest_order`.

    Args:
        rates: None leaves times out.
    """
    kind = "training" if training else "inference"
    times = f"{'ms':>10}" if rates else ""
    lines = [f"{'order, ' + kind:24}{'operators':>10}{'MB':>10}{'GMACs':>10}{times}"]
    for order in _TRAINING:
        cost = unit_cost(order, sizes, training=training, itemsize=itemsize, casts=casts)
        name = f"{order} (chosen)" if order == chosen else order
        line = (
            f"{name:24}{cost.launches:10}{cost.bytes / 1e6:10.1f}{cost.multiply_adds / 1e9:10.2f}"
        )
        if rates:
            line += f"{rates.seconds(*cost, itemsize) * 1e3:10.2f}"
        lines.append(line)
    return "\n".join(lines)


def explain_products(chosen: Chosen, sizes: UnitSizes, *, preactivated: bool) -> str:
    """Multiply-adds of a forward pass as lines of text, for forms and ends that are not counted otherwise."""
    lines = [f"{'order, forward pass':24}{'GMACs':>10}"]
    for order in _TRAINING:
        products = sizes.batch * _forward_products(order, sizes, preactivated=preactivated)
        name = f"{order} (chosen)" if order == chosen else order
        lines.append(f"{name:24}{products / 1e9:10.2f}")
    return "\n".join(lines)
