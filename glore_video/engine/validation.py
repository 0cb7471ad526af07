"""Validation: one clip a video, every video of the list once over all processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from glore_video.datasets.video_list import Failure
from glore_video.engine.distributed import Process
from glore_video.engine.on_device import Precision, Preprocessing
from glore_video.engine.run_log import progress


@dataclass(frozen=True)
class Validation:
    """Over all processes: mean loss, top-1 in percent, videos that were read, and the others."""

    loss: float
    top1: float
    scored: int
    failed: tuple[Failure, ...]


@torch.no_grad()
def validate(
    model: nn.Module,
    loader: DataLoader[Any],
    *,
    preprocessing: Preprocessing,
    precision: Precision,
    process: Process,
) -> Validation:
    """Score the clips of this process' loader; the model is left in eval mode.

    Loss and top-1 are NaN if no video could be read.
    """
    model.eval()
    device = process.device
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    failures: list[Failure] = []
    for batch in progress(loader, total=len(loader), name="validation", is_main=process.is_main):
        process.doing("validation")
        failures.extend(batch.failures)
        if batch.clips is None:
            continue
        labels = batch.labels.to(device)
        with precision.autocast():
            logits = model(preprocessing(batch.clips, device)).float()
        sums[0] += F.cross_entropy(logits, labels, reduction="sum")
        sums[1] += (logits.argmax(dim=1) == labels).sum()
        sums[2] += len(labels)
    loss, correct, scored = process.sum(sums).tolist()
    failed = tuple(failure for part in process.gather(failures) for failure in part)
    if not scored:
        return Validation(float("nan"), float("nan"), 0, failed)
    return Validation(loss / scored, 100 * correct / scored, int(scored), failed)
