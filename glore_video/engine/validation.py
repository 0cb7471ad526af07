"""Validation: every sample of the list once over all processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.engine.device_copies import DeviceCopies
from glore_video.engine.divergence import tensors_of
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import Meter, Normalize, ValidationData
from glore_video.engine.run_log import progress
from glore_video.errors import Failure


@dataclass(frozen=True)
class Validation:
    """Over all processes.

    Attributes:
        figures: by name, the mean loss among them.
        scored: samples that were read.
        failed: the others.
        not_finite: paths of those whose outputs are NaN or infinite.
    """

    figures: dict[str, float]
    scored: int
    failed: tuple[Failure, ...]
    not_finite: tuple[str, ...]


@torch.no_grad()
def validate(
    model: nn.Module,
    data: ValidationData,
    *,
    meter: Meter,
    normalize: Normalize,
    precision: Precision,
    process: Process,
    stops: Callable[[], bool] = lambda: False,
    run: Callable[[Tensor], Any] | None = None,
) -> Validation:
    """Score this process' samples, until it is to stop; the model is left in eval mode.

    `run` is what runs the model, if that is not itself: what torch.compile makes of it.
    """
    model.eval()
    run = model if run is None else run
    device = process.device
    copies, trials = DeviceCopies(device), precision.trials()
    scored = 0
    counts = torch.zeros(meter.size, dtype=torch.float64, device=device)
    failures: list[Failure] = []
    indices: list[int] = []
    flags: list[Tensor] = []
    batches = progress(
        data.loader, total=len(data.loader), name="validation", is_main=process.is_main
    )
    for batch in batches:
        if stops():
            break
        process.doing("validation")
        failures.extend(batch.failures)
        if batch.inputs is None:
            continue
        inputs, targets = copies(batch.inputs, batch.targets)
        with precision.autocast(), trials.of(inputs):
            outputs = run(normalize(inputs, device))
        counts += meter.count(outputs, targets)
        scored += len(batch.indices)
        indices.extend(batch.indices)
        flags.append(finite_inputs(outputs))
    figures = meter.figures(process.sum(counts).cpu())
    failed = tuple(failure for part in process.gather(failures) for failure in part)
    bad = [
        data.samples.path(index)
        for index, finite in zip(indices, torch.cat(flags).tolist() if flags else (), strict=True)
        if not finite
    ]
    not_finite = tuple(path for part in process.gather(bad) for path in part)
    return Validation(figures, sum(process.gather(scored)), failed, not_finite)


def finite_inputs(outputs: Any) -> Tensor:
    """Where all outputs of an input are finite, bool (n,), for tensors (n, ...) in any containers."""
    flags = [each.isfinite().reshape(len(each), -1).all(1) for each in tensors_of(outputs)]
    return torch.stack(flags).all(0)
