"""Validation: one clip a video, every video of the list once over all processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from glore_video.data.samples import Failure
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.run_log import progress
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.classification.ranking import finite_rows, label_among_first
from glore_video.tasks.classification.views_merging import view_probabilities


@dataclass(frozen=True)
class Validation:
    """Over all processes.

    Attributes:
        loss: mean over the videos whose scores are finite.
        top1: percent of the videos that were read; those of `not_finite` count as wrong.
        scored: how many were read.
        failed: the others.
        not_finite: paths of those whose scores are NaN or infinite.
    """

    loss: float
    top1: float
    scored: int
    failed: tuple[Failure, ...]
    not_finite: tuple[str, ...]


@torch.no_grad()
def validate(
    model: nn.Module,
    loader: DataLoader[Any],
    *,
    normalize: Normalize,
    precision: Precision,
    process: Process,
    stops: Callable[[], bool] = lambda: False,
) -> Validation:
    """Score the clips of this process' loader, until it is to stop; the model is left in eval mode.

    Loss and top-1 are NaN if no video could be read, or none has finite scores.
    """
    model.eval()
    device = process.device
    sums = torch.zeros(4, dtype=torch.float64, device=device)
    failures: list[Failure] = []
    indices: list[int] = []
    flags: list[Tensor] = []
    for batch in progress(loader, total=len(loader), name="validation", is_main=process.is_main):
        if stops():
            break
        process.doing("validation")
        failures.extend(batch.failures)
        if batch.inputs is None:
            continue
        labels = batch.targets.to(device)
        with precision.autocast():
            logits = model(normalize(batch.inputs, device)).float()
        finite = finite_rows(logits)
        losses = F.cross_entropy(logits, labels, reduction="none").double()
        sums[0] += torch.where(finite, losses, 0).sum()
        sums[1] += label_among_first(view_probabilities(logits), labels, 1).sum()
        sums[2] += len(labels)
        sums[3] += finite.sum()
        indices.extend(batch.indices)
        flags.append(finite)
    loss, correct, scored, counted = process.sum(sums).tolist()
    failed = tuple(failure for part in process.gather(failures) for failure in part)
    bad = [
        loader.dataset.videos.path(index)  # type: ignore[attr-defined]
        for index, finite in zip(indices, torch.cat(flags).tolist() if flags else (), strict=True)
        if not finite
    ]
    not_finite = tuple(path for part in process.gather(bad) for path in part)
    if not counted:
        return Validation(float("nan"), float("nan"), int(scored), failed, not_finite)
    return Validation(loss / counted, 100 * correct / scored, int(scored), failed, not_finite)
