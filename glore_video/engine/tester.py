"""Multi-view testing: every video of the list once, all its views from one decoding."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from glore_video.datasets.video_dataset import VideoViews
from glore_video.datasets.video_list import Failure, VideoList
from glore_video.engine.distributed import Process
from glore_video.engine.on_device import Precision, Preprocessing
from glore_video.engine.run_log import progress
from glore_video.evaluation import Scores

logger = logging.getLogger(__name__)


@torch.no_grad()
def score_views(
    model: nn.Module,
    views: VideoViews,
    *,
    batch_size: int,
    preprocessing: Preprocessing,
    precision: Precision,
) -> Tensor:
    """Logits of all views of one video, float32 (views, classes), on the CPU."""
    logits = []
    for clips in views.batches(batch_size):
        with precision.autocast():
            logits.append(model(preprocessing(clips, precision.device)).float())
    return torch.cat(logits).cpu()


def score_videos(
    model: nn.Module,
    loader: DataLoader[Any],
    videos: VideoList,
    *,
    num_views: int,
    num_classes: int,
    batch_size: int,
    preprocessing: Preprocessing,
    precision: Precision,
    process: Process,
    scratch: Path,
) -> Scores | None:
    """Score this process' videos, then put all processes' together, in the order of the list.

    Args:
        loader: gives the ViewsItem of this process' shard.
        num_views: views of each video.
        batch_size: views a forward pass of this process.
        scratch: folder, on a disk all processes see, for the parts of the scores.

    Returns:
        The scores of the whole list on the main process, None on the others.
    """
    model.eval()
    indices: list[int] = []
    logits: list[np.ndarray] = []
    failed: list[tuple[int, Failure]] = []
    for item in progress(loader, total=len(loader), name="test", is_main=process.is_main):
        if item.views is None:
            failed.extend((item.index, failure) for failure in item.failures)
            continue
        indices.append(item.index)
        scores = score_views(
            model,
            item.views,
            batch_size=batch_size,
            preprocessing=preprocessing,
            precision=precision,
        )
        logits.append(scores.numpy())
    shape = (len(logits), num_views, num_classes)
    own = np.stack(logits) if logits else np.zeros(shape, dtype=np.float32)
    parts = _gather_arrays(own, process, scratch)
    all_indices = [index for part in process.gather(indices) for index in part]
    all_failed = sorted(failure for part in process.gather(failed) for failure in part)
    if parts is None:
        return None
    order = np.argsort(all_indices, kind="stable")
    return Scores(
        logits=np.concatenate(parts)[order],
        labels=videos.labels[np.asarray(all_indices, dtype=np.int64)[order]],
        paths=tuple(videos.path(all_indices[i]) for i in order),
        failed=tuple(failure for _, failure in all_failed),
        left_out=videos.left_out,
    )


def _gather_arrays(own: np.ndarray, process: Process, scratch: Path) -> Sequence[np.ndarray] | None:
    """The processes' arrays, on the main one. They go by way of files: they can be gigabytes."""
    if process.world_size == 1:
        return [own]
    scratch.mkdir(parents=True, exist_ok=True)
    np.save(scratch / f"rank{process.rank}.npy", own)
    process.barrier()
    if not process.is_main:
        return None
    parts = [np.load(scratch / f"rank{rank}.npy") for rank in range(process.world_size)]
    shutil.rmtree(scratch)
    return parts
