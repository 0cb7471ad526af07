"""A line every few steps: loss and accuracy, where the time goes, how long it will take."""

from __future__ import annotations

import logging
import time

import torch
from torch import Tensor

from glore_video.engine.run_log import MetricsLog
from glore_video.engine.slowdown import Slowdown
from glore_video.engine.step_times import StepTimes, shares, time_left, verdict
from glore_video.processes.cpus import usable_cpus

logger = logging.getLogger(__name__)


class StepReport:
    """Of one epoch.

    Args:
        times: of the steps.
        num_workers: reading processes of this process.
        steps: of an epoch.
        epochs: of the run.
        world_size: processes, each with as many clips.
        slowdown: on the CPU, what watches over the whole run.
    """

    def __init__(
        self,
        times: StepTimes,
        *,
        num_workers: int,
        steps: int,
        epochs: int,
        world_size: int,
        slowdown: Slowdown | None = None,
    ) -> None:
        self._times = times
        self._num_workers = num_workers
        self._steps = steps
        self._epochs = epochs
        self._world_size = world_size
        self._slowdown = slowdown
        self._sums: Tensor | float = 0.0
        self._count = 0
        self._advised = False
        self.spoken_at = time.monotonic()  # the time of the latest line

    def add(self, sums: Tensor) -> None:
        """What an Update returned."""
        self._sums = self._sums + sums
        self._count += 1

    def write(self, metrics: MetricsLog, *, epoch: int, step: int, rate: float) -> None:
        """Log the steps since the last call, up to step `step` of epoch `epoch` (0-based)."""
        if not isinstance(self._sums, Tensor):
            return
        loss, correct, clips, norm = self._sums.tolist()  # waits for the device
        seconds = self._times.take()
        total = sum(seconds.values())
        clips_per_second = clips * self._world_size / self._count / total
        left = (self._epochs - epoch) * self._steps - step
        gigabytes = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
        metrics.write(
            "train_iter",
            step=epoch * self._steps + step,
            epoch=epoch + step / self._steps,
            lr=rate,
            loss=loss / clips,
            top1=100 * correct / clips,
            gradient_norm=norm / self._count,
            **{f"{phase}_seconds": value for phase, value in seconds.items()},
            clips_per_second=clips_per_second,
            **({} if gigabytes is None else {"gpu_gigabytes": gigabytes}),
        )
        memory = "" if gigabytes is None else f", {gigabytes:.1f} GB"
        self.spoken_at = time.monotonic()
        logger.info(
            "epoch %d step %d/%d: loss %.4f, top-1 %.1f%%, lr %.3g, gradient %.2g; "
            "%.0f ms a step (%s), %.3g clips/s%s, %s left",
            *(epoch + 1, step, self._steps, loss / clips, 100 * correct / clips, rate),
            *(norm / self._count, 1000 * total, shares(seconds), clips_per_second, memory),
            time_left(left, [total]),
        )
        advice = verdict(seconds, num_workers=self._num_workers, cores=usable_cpus())
        if advice and not self._advised and self._count > 1:  # once an epoch; not of the first step
            self._advised = True
            logger.warning("%s", advice)
        slower = self._slowdown and self._slowdown.advice(total - seconds["data"], self._count)
        if slower:
            logger.warning("%s", slower)
        self._sums, self._count = 0.0, 0
