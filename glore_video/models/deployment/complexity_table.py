"""Costs of networks, in training too, as text and as a Markdown table, beside the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from glore_video.models.deployment.complexity import Complexity, Cost, count_complexity
from glore_video.models.deployment.saved_memory import (
    NONLOCAL_BLOCKS,
    SavedMemory,
    UncountableError,
    count_saved,
)
from glore_video.models.networks.eval_mode import trial_of_train_mode
from glore_video.models.networks.inserted_units import glore_units
from glore_video.models.networks.stages import stage_blocks
from glore_video.models.weights.published import PUBLISHED, Published


@dataclass(frozen=True)
class TrainingMemory:
    """What one input costs in training.

    Attributes:
        shape: of an input in training.
        float32, bf16: what is kept for the backward pass, without and under autocast.
        step: a line about a whole training step; "" where nothing says how large it is.
    """

    shape: tuple[int, ...]
    float32: SavedMemory
    bf16: SavedMemory
    step: str = ""


@dataclass(frozen=True)
class CostRow:
    """The cost of one network.

    Attributes:
        name: its name.
        shape: of its input, (3, frames, height, width) or (3, height, width).
        views: views of a video, for the cost of a whole prediction.
        complexity: with GloRe units in the published order, layer by layer.
        gmacs_as_run: 1e9 multiply-adds a view, units in the order that they choose.
        labels: part of the network -> what to call it.
        training: memory, or why it is not known.
        published: figures to compare with.
    """

    name: str
    shape: tuple[int, ...]
    views: int
    complexity: Complexity
    gmacs_as_run: float
    labels: dict[str, str]
    training: TrainingMemory | str
    published: Published | None = None


def measure(
    name: str,
    model: nn.Module,
    *,
    shape: tuple[int, ...],
    views: int,
    training: TrainingMemory | str | None = None,
) -> CostRow:
    """Counts a network's cost; `name` finds what is published about it.

    Args:
        training: if it is known already; else it is counted of the same inputs.
    """
    as_run = count_complexity(model, shape)
    layer_by_layer = count_layer_by_layer(model, shape) if glore_units(model) else as_run
    return CostRow(
        name=name,
        shape=shape,
        views=views,
        complexity=layer_by_layer,
        gmacs_as_run=as_run.gmacs,
        labels=_labels(model, list(layer_by_layer.parts)),
        training=training or count_training(model, shape),
        published=PUBLISHED.get(name),
    )


def count_training(model: nn.Module, shape: tuple[int, ...]) -> TrainingMemory | str:
    """Memory of a network in training, or why it can't be counted."""
    with trial_of_train_mode(model):
        try:
            plain, low = (count_saved(model, shape, amp_dtype=d) for d in (None, torch.bfloat16))
        except UncountableError as error:
            return str(error)
    return TrainingMemory(shape, plain, low)


def count_layer_by_layer(model: nn.Module, shape: tuple[int, ...]) -> Complexity:
    """`count_complexity` with GloRe units in the published order, whatever theirs is."""
    orders = {unit: unit.order for unit in glore_units(model).values()}
    try:
        for unit in orders:
            unit.order = "published"
        return count_complexity(model, shape)
    finally:
        for unit, order in orders.items():
            unit.order = order


def text(row: CostRow) -> str:
    """A network's cost by stage, with everything that was not counted."""
    counted, memory = row.complexity, row.training
    known = isinstance(memory, TrainingMemory)
    lines = [
        f"{row.name}: {' x '.join(map(str, row.shape))}, {_views(row.views)}",
        f"{'':<32}{'GMACs':>10}{'activations M':>15}{'parameters M':>14}"
        + (f"{'saved MB':>11}{'in bf16':>9}" if known else ""),
        *_parts(row),
        _cost("one view", counted.total) + _saved(memory, _ALL),
    ]
    if counted.units.parameters:
        lines.append(_cost("of this in units", counted.units) + _saved(memory, _UNITS))
    if isinstance(memory, TrainingMemory) and len(memory.float32.units) > 1:
        in_blocks = f"of this in {NONLOCAL_BLOCKS}"
        lines.append(f"{in_blocks:<71}{_saved(memory, NONLOCAL_BLOCKS)}")
    if row.gmacs_as_run != counted.gmacs:
        lines.append(f"{'one view as it runs':<32}{row.gmacs_as_run:>10.3f}  (units reordered)")
    if row.views > 1:
        lines.append(f"{_views(row.views):<32}{row.views * counted.gmacs:>10.1f}")
    if row.published:
        gmacs, parameters = row.published.gmacs, row.published.parameters
        if gmacs and parameters:
            lines.append(f"{'published':<32}{gmacs:>10.2f}{'':>15}{parameters:>14.2f}")
        lines.append(
            f"published top-1 / top-5: {row.published.top1} / {row.published.top5} "
            f"({row.published.source}, {_views(row.published.views)})"
        )
    lines += _about_training(memory)
    for title, ops in (
        ("NOT COUNTED", counted.skipped_ops),
        ("not counted, elementwise", counted.elementwise_ops),
    ):
        if ops:
            lines.append(f"{title}: " + ", ".join(f"{op} {times}" for op, times in ops.items()))
    return "\n".join(lines)


def _parts(row: CostRow) -> list[str]:
    """A line a part that costs anything."""
    costs, memory = row.complexity.parts, row.training
    names = list(costs)
    if isinstance(memory, TrainingMemory):
        names += [name for name in memory.float32.parts if name not in costs]
    lines = []
    for name in names:
        cost, saved = costs.get(name, Cost()), _saved(memory, name)
        if cost != Cost() or saved.strip("0. "):
            lines.append(_cost(row.labels.get(name, name), cost) + saved)
    return lines


def _saved(memory: TrainingMemory | str, share: str) -> str:
    """The columns of training, megabytes of a part, a kind of units or all: in float32, in bf16."""
    if isinstance(memory, str):
        return ""
    plain, low = (_shares(saved).get(share, 0) / 1e6 for saved in (memory.float32, memory.bf16))
    return f"{plain:>11.2f}{low:>9.2f}"


_ALL, _UNITS = "", "units"


def _shares(saved: SavedMemory) -> dict[str, int]:
    return {**saved.units, _UNITS: sum(saved.units.values()), **saved.parts, _ALL: saved.each}


def _about_training(memory: TrainingMemory | str) -> list[str]:
    if isinstance(memory, str):
        return [f"memory in training is not known: {memory}"]
    lines = [
        f"saved: for the backward pass of each input of {' x '.join(map(str, memory.shape))} in "
        "training on a GPU, computed, 1e6 bytes"
    ]
    return lines + [memory.step] * bool(memory.step)


def markdown(rows: Sequence[CostRow]) -> str:
    """A table with a line for each network."""
    lines = [
        "| network | input | parameters M | GMACs x views | activations M | saved MB, in bf16 "
        "| units: parameters M, GMACs | published: parameters M, GMACs | published top-1 / top-5 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    skipped: set[str] = set()
    elementwise: set[str] = set()
    for row in rows:
        counted, published = row.complexity, row.published
        units = "-"
        if counted.units.parameters:
            units = f"{counted.units.parameters / 1e6:.2f}, {counted.units.gmacs:.2f}"
        if row.gmacs_as_run != counted.gmacs:
            units += f" ({counted.units.gmacs + row.gmacs_as_run - counted.gmacs:.2f} as run)"
        figures = accuracy = saved = "-"
        if isinstance(row.training, TrainingMemory):
            saved = ", ".join(
                f"{memory.each / 1e6:.0f}" for memory in (row.training.float32, row.training.bf16)
            )
            if row.training.shape != row.shape:
                saved += f" of {_size(row.training.shape)}"
        if published:
            accuracy = f"{published.top1:.2f} / {published.top5:.2f}"
            if published.gmacs and published.parameters:
                figures = f"{published.parameters:.2f}, {published.gmacs:.2f}"
        lines.append(
            f"| {row.name} | {_size(row.shape)} | {counted.parameters / 1e6:.2f} "
            f"| {counted.gmacs:.2f} x {row.views} | {counted.total.activations:.1f} | {saved} "
            f"| {units} | {figures} | {accuracy} |"
        )
        skipped |= set(counted.skipped_ops)
        elementwise |= set(counted.elementwise_ops)
    lines += [
        "",
        "One multiply-add counts as one, a batch norm as two a number. (pytorchvideo's own figures "
        "count five a number for c2d and i3d and none for slow and slowfast, the whole difference.) "
        "Units are counted layer by layer, as published; they run in the cheapest order. "
        "Activations are what convolutions, matrix products and linear layers return. Saved is what "
        "one input more keeps for the backward pass in training, on a GPU and with units as they run: "
        "computed, 1e6 bytes, in float32 and under bf16 autocast. Multiply-adds not counted: "
        f"{', '.join([*sorted(elementwise), 'activation functions and reshapes'])}.",
    ]
    if skipped:
        lines.append(
            f"**Not counted, though they may multiply-add: {', '.join(sorted(skipped))}.**"
        )
    return "\n".join(lines)


def _size(shape: tuple[int, ...]) -> str:
    """The shape of an input without its colours: "8 x 224²"."""
    *frames, height, width = shape[1:]
    side = f"{height}²" if height == width else f"{height} x {width}"
    return " x ".join([*map(str, frames), side])


def _views(number: int) -> str:
    return f"{number} view{'' if number == 1 else 's'}"


def _cost(label: str, cost: Cost) -> str:
    return f"{label:<32}{cost.gmacs:>10.3f}{cost.activations:>15.2f}{cost.parameters / 1e6:>14.3f}"


def _labels(model: nn.Module, parts: Sequence[str]) -> dict[str, str]:
    """Parts by the names that papers give to the stages, where they are known."""
    try:
        stages = [blocks[0][0] for blocks in stage_blocks(model)]
    except ValueError:
        stages = []
    labels = {}
    for path in parts:
        numbers = [n for n, block in enumerate(stages, start=2) if block.startswith(f"{path}.")]
        labels[path] = f"Res{numbers[0]} ({path})" if numbers and len(stages) == 4 else path
    return labels
