"""The paper's table for ImageNet: its networks, our counts of them, and what is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glore_video.models.deployment.complexity import Complexity
from glore_video.models.deployment.complexity_table import count_layer_by_layer
from glore_video.models.weights.published_imagenet import ImageNetRow
from glore_video.models.zoo import create_model

_SHAPE = (3, 224, 224)
_COLUMNS = (
    *("network", "units", "host: parameters M", "GMACs", "own: parameters M", "GMACs"),
    *("paper: parameters M", "GMACs", "top-1: paper", "port", "host"),
)
_NOTES = (
    "units: on Res3, on Res4. host: timm's network of the same layers, with units of the form post; own: "
    "the paper's pre-activation network (preact_resnet*_2d), with pre-activated ones. Counted at 224 x 224, "
    "one multiply-add as one, units layer by layer. top-1, percent of ImageNet's validation pictures, is as "
    "published and not measured here: by the paper, by MindSpore's port of it, and for the host's plain "
    "weights."
)


@dataclass(frozen=True)
class CountedRow:
    """A row with the costs of its host and of the paper's own network, where there is one."""

    row: ImageNetRow
    host: Complexity
    own: Complexity | None


def count_row(row: ImageNetRow) -> CountedRow:
    """Builds the networks of a row and counts them.

    Raises UsageError where timm is not installed.
    """
    costs = [
        count_layer_by_layer(create_model(name, glore_units=row.units), _SHAPE)
        for name in (row.host, row.own)
        if name
    ]
    return CountedRow(row, costs[0], costs[1] if row.own else None)


def imagenet_text(rows: Sequence[CountedRow]) -> str:
    """The table in columns, for a terminal."""
    lines = [_COLUMNS, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    padded = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([*(line.rstrip() for line in padded), "", _notes(rows)])


def imagenet_markdown(rows: Sequence[CountedRow]) -> str:
    """The table in Markdown."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_cells, rows)]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", _notes(rows)])


def _cells(counted: CountedRow) -> tuple[str, ...]:
    row = counted.row
    return (
        row.title,
        f"({row.units[0]}, {row.units[1]})" if any(row.units) else "-",
        *_cost(counted.host),
        *_cost(counted.own),
        _figure(row.parameters, 2),
        _figure(row.gmacs, 2),
        _figure(row.top1, 1),
        _figure(row.port_top1, 2),
        _figure(row.host_top1, 2),
    )


def _cost(cost: Complexity | None) -> tuple[str, str]:
    if cost is None:
        return "-", "-"
    return f"{cost.parameters / 1e6:.2f}", f"{cost.gmacs:.2f}"


def _figure(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _notes(rows: Sequence[CountedRow]) -> str:
    weights = [
        f"{each.row.title} {each.row.host_weights}" for each in rows if each.row.host_weights
    ]
    return f"{_NOTES} Weights of the hosts: {', '.join(weights)}." if weights else _NOTES
