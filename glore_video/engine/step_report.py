"""A line every few steps: loss and figures, where the time goes, how long it will take."""

from __future__ import annotations

import logging
import time

import torch
from torch import Tensor

from glore_video.engine.protocols import Meter, Words
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.slowdown import Slowdown
from glore_video.engine.step_times import StepTimes, shares, time_left, verdict
from glore_video.engine.train_step import Sums
from glore_video.processes.cpus import usable_cpus

logger = logging.getLogger(__name__)


class StepReport:
    """Of one epoch.

    Args:
        times: of the steps.
        meter: of the steps' counts.
        num_workers: reading processes of this process.
        steps: of an epoch.
        epochs: of the run.
        world_size: processes, each with as many samples.
        slowdown: on the CPU, what watches over the whole run.
    """

    def __init__(
        self,
        times: StepTimes,
        *,
        meter: Meter,
        words: Words,
        num_workers: int,
        steps: int,
        epochs: int,
        world_size: int,
        slowdown: Slowdown | None = None,
    ) -> None:
        self._times = times
        self._meter = meter
        self._words = words
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
        """What a TrainStep returned."""
        self._sums = self._sums + sums
        self._count += 1

    def write(self, metrics: MetricsLog, *, epoch: int, step: int, rate: float) -> None:
        """Log the steps since the last call, up to step `step` of epoch `epoch` (0-based)."""
        if not isinstance(self._sums, Tensor):
            return
        sums = Sums.of(self._sums)  # waits for the device
        figures, norm = self._meter.figures(sums.counts), sums.norm / self._count
        seconds = self._times.take()
        total = sum(seconds.values())
        per_second = sums.inputs * self._world_size / self._count / total
        left = (self._epochs - epoch) * self._steps - step
        gigabytes = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
        metrics.write(
            "train_iter",
            step=epoch * self._steps + step,
            epoch=epoch + step / self._steps,
            lr=rate,
            loss=sums.mean_loss,
            **figures,
            gradient_norm=norm,
            **{f"{phase}_seconds": value for phase, value in seconds.items()},
            **{f"{self._words.inputs}_per_second": per_second},
            **({} if gigabytes is None else {"gpu_gigabytes": gigabytes}),
        )
        memory = "" if gigabytes is None else f", {gigabytes:.1f} GB"
        self.spoken_at = time.monotonic()
        logger.info(
            "epoch %d step %d/%d: loss %.4f, %s, lr %.3g, gradient %.2g; "
            "%.0f ms a step (%s), %.3g %s/s%s, %s left",
            *(epoch + 1, step, self._steps, sums.mean_loss, self._meter.text(figures, 1)),
            *(rate, norm, 1000 * total, shares(seconds), per_second, self._words.inputs, memory),
            time_left(left, [total]),
        )
        advice = verdict(
            seconds,
            num_workers=self._num_workers,
            cores=usable_cpus(),
            faster_reading=self._words.faster_reading,
        )
        if advice and not self._advised and self._count > 1:  # once an epoch; not of the first step
            self._advised = True
            logger.warning("%s", advice)
        slower = self._slowdown and self._slowdown.advice(total - seconds["data"], self._count)
        if slower:
            logger.warning("%s", slower)
        self._sums, self._count = 0.0, 0

    def write_epoch(
        self, metrics: MetricsLog, epoch: int, *, sums: Tensor, seconds: float, unreadable: int
    ) -> None:
        """Log the whole epoch (from 1): sums of all processes, samples that could not be read."""
        all_steps = Sums.of(sums)
        figures = self._meter.figures(all_steps.counts)
        metrics.write(
            "train_epoch",
            step=epoch * self._steps,
            epoch=epoch,
            loss=all_steps.mean_loss,
            **figures,
            seconds=seconds,
            **{f"bad_{self._words.samples}": unreadable},
        )
        logger.info(
            "epoch %d/%d: loss %.4f, %s, %.0f s",
            *(epoch, self._epochs, all_steps.mean_loss, self._meter.text(figures, 2), seconds),
        )
