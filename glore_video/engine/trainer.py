"""Training: epochs of steps, validation, checkpoints, resume."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.engine.batch_norms import freeze_batch_norms
from glore_video.engine.cadence import Cadence
from glore_video.engine.compiling import Compiling
from glore_video.engine.divergence import stop_if_diverged
from glore_video.engine.launch.processes import Process
from glore_video.engine.optimizer import set_learning_rate
from glore_video.engine.precise_batch_norms import BatchNormPolicy, settle_batch_norms
from glore_video.engine.protocols import Batch, Meter, TrainingData, ValidationData, Words
from glore_video.engine.resume import ResumePoint
from glore_video.engine.rng import set_rng_state
from glore_video.engine.run_checkpoints import RunCheckpoints
from glore_video.engine.run_log import MetricsLog, progress
from glore_video.engine.schedule import Schedule
from glore_video.engine.slowdown import Slowdown
from glore_video.engine.step_report import StepReport
from glore_video.engine.thread_choice import settle_threads, trial_steps
from glore_video.engine.train_step import TrainStep
from glore_video.engine.unreadable import UnreadableSamples
from glore_video.engine.validation import validate
from glore_video.engine.validation_report import ValidationReport
from glore_video.models.units.idle_units import refuse_idle_units
from glore_video.processes.stop_signals import StoppedBySignal, StopSignals
from glore_video.seeding import generator_for, mixed_seed


class _AskedToStopError(Exception):
    """A signal came while an epoch ends, which is then done anew."""


@dataclass(kw_only=True)
class Trainer:
    """All that a training run needs; `train()` does the whole of it.

    Attributes:
        train_step: the network, its optimiser, and what one step does.
        train_data: its order's epoch and first step are set here.
        val_meter: its main figure says which checkpoint is best.
        words: of the task, for log lines, errors and keys of metrics.
    """

    train_step: TrainStep
    schedule: Schedule
    train_data: TrainingData
    val_data: ValidationData
    val_meter: Meter
    words: Words
    process: Process
    metrics: MetricsLog
    checkpoints: RunCheckpoints
    cadence: Cadence
    norms: BatchNormPolicy
    unreadable: UnreadableSamples
    seed: int
    compiling: Compiling = Compiling()  # noqa: RUF009
    _at: tuple[int, int] = (0, 0)  # epoch and step, both from 0
    _first_step: int = 0  # of this process, over all epochs
    _slowdown: Slowdown | None = None
    _validated: dict[str, Callable[[Tensor], Any]] = field(default_factory=dict)

    def train(self, *, auto_resume: bool) -> None:
        """Train up to the last epoch. Leaves metrics and checkpoints in the run's folder.

        Raises StoppedBySignal after a signal, once the state is saved.
        """
        self.process.doing("looking for a checkpoint")
        start, last = ResumePoint(), self.cadence.max_epoch
        if auto_resume:
            start = self.checkpoints.resume(self.metrics, max_epoch=last)
        self._first_step = start.epoch * self._steps + start.step
        with StopSignals(says=self.process.is_main) as self._signals:
            self._settle_threads(start)
            if self.process.device.type == "cpu":
                self._slowdown = Slowdown(torch.get_num_threads())
            if start.end_due:
                self.train_data.order.epoch = start.epoch - 1
                self._end_epoch(start.epoch, saves=True)
            for epoch in range(start.epoch, last):
                self._train_epoch(epoch, start if epoch == start.epoch else ResumePoint(epoch))
                self._end_epoch(epoch + 1)

    @property
    def _steps(self) -> int:
        """Of an epoch."""
        return self.train_data.order.steps_per_epoch

    def _settle_threads(self, start: ResumePoint) -> None:
        self.train_data.order.epoch, self.train_data.order.first = start.epoch, start.step
        settle_threads(
            self.process,
            kept=start.cpu_threads,
            steps=trial_steps(
                self.train_step,
                self.train_data,
                self.process,
                freeze_norms=self.norms.freeze,
                generator=lambda: self._generator(start.epoch, start.step),
                stops=lambda: bool(self._signals.received),
            ),
            steps_to_come=(self.cadence.max_epoch - start.epoch) * self._steps - start.step,
            received=lambda: self._signals.received,
        )

    def _train_epoch(self, epoch: int, start: ResumePoint) -> None:
        self._begin_epoch(epoch, start.step)
        report = self._report()
        total = self.train_step.zeros() + start.total
        began = time.perf_counter()
        for number, batch in enumerate(self._bar(epoch, start.step, report), start=start.step):
            self.train_step.times.mark("data")
            if number == start.step and start.rng_state is not None:
                set_rng_state(start.rng_state)
            self.unreadable.note(batch)
            rate = self.schedule.at(epoch + number / self._steps)
            set_learning_rate(self.train_step.optimizer, rate)
            self._at = (epoch, number)
            sums = self._step(batch)
            total += sums
            report.add(sums)
            self._after_step(ResumePoint(epoch, number + 1, total), report, rate)
            self.process.doing("reading data", step=epoch * self._steps + number + 1)
        report.write_epoch(
            self.metrics,
            epoch + 1,
            sums=self.process.sum(total),
            seconds=time.perf_counter() - began,
            unreadable=len(self.unreadable.reasons),
        )

    def _begin_epoch(self, epoch: int, first: int) -> None:
        self.train_data.order.epoch, self.train_data.order.first = epoch, first
        # Dropout depends on (seed, epoch, process) only, so a resumed run draws the same masks.
        torch.manual_seed(mixed_seed(self.seed, epoch, self.process.rank))
        self.train_step.parallel.train()
        if self.norms.freeze:
            freeze_batch_norms(self.train_step.model)

    def _report(self) -> StepReport:
        return StepReport(
            self.train_step.times,
            meter=self.train_step.meter,
            words=self.words,
            num_workers=self.train_data.loader.num_workers,
            steps=self._steps,
            epochs=self.cadence.max_epoch,
            world_size=self.process.world_size,
            slowdown=self._slowdown,
        )

    def _bar(self, epoch: int, first: int, report: StepReport) -> Iterator[Any]:
        """The batches of an epoch from a step on."""
        bar = progress(
            self.train_data.loader,
            total=self._steps,
            initial=first,
            name=f"epoch {epoch + 1}/{self.cadence.max_epoch}",
            is_main=self.process.is_main,
            plain_seconds=10,
            spoken_at=lambda: report.spoken_at,
        )
        self.train_step.times.skip()
        self.process.doing("reading data", step=epoch * self._steps + first)
        return bar

    def _step(self, batch: Batch) -> Tensor:
        """One update. Returns what it adds to the sums."""
        inputs = self.unreadable.inputs(batch)
        self.process.doing("forward and backward")
        sums = self.train_step(inputs, batch.targets, self._generator(*self._at))
        refuse_idle_units(self.train_step.model)
        return sums

    def _after_step(self, here: ResumePoint, report: StepReport, rate: float) -> None:
        """Log, save and stop where it is time to."""
        done, ends = here.step, here.step == self._steps
        logs = self.cadence.logs(done, of=self._steps)
        saves = self.cadence.saves_within(done)
        alone = self.process.world_size == 1
        if logs or saves or (alone and self.process.device.type == "cpu"):
            self._stop_if_diverged()
        if logs:
            report.write(self.metrics, epoch=here.epoch, step=done, rate=rate)
        # Several processes must agree to stop, which is worth a message at log lines only.
        if not ends and (alone or done % self.cadence.log_period == 0):
            self._stop_if_asked(here, saved=False)
        if saves and not ends:
            self._save(here)
        if logs or saves:
            self.train_step.times.skip()

    def _end_epoch(self, done: int, *, saves: bool = False) -> None:
        validates = self.cadence.validates(done)
        saves = saves or self.cadence.saves(done)
        try:
            if validates or saves:
                self._settle_batch_norm()
            main = self._validate(done) if validates else float("nan")
        except _AskedToStopError:
            self._stop_if_asked(ResumePoint(done, end_due=True), saved=False)
            raise
        if main > self.checkpoints.best:
            self.checkpoints.best = main
            self._stop_if_diverged()
            self.checkpoints.save_best(ResumePoint(done))
        if saves:
            self._save(ResumePoint(done), last=self.cadence.is_last(done))
        self._stop_if_asked(ResumePoint(done), saved=saves)

    def _settle_batch_norm(self) -> None:
        settle_batch_norms(
            self.train_step,
            self.norms,
            self._training_inputs,
            steps_per_epoch=self._steps,
            words=self.words,
        )

    def _training_inputs(self) -> Iterator[Tensor]:
        """Normalised, from the epoch's beginning."""
        self.train_data.order.first = 0
        alone = self.process.world_size == 1
        for number, batch in enumerate(self.train_data.loader):
            if (alone or number % self.cadence.log_period == 0) and self._asked_to_stop():
                raise _AskedToStopError
            self.process.doing("precise batch norm")
            yield self.train_step.normalize(self.unreadable.inputs(batch), self.process.device)

    def _validate(self, epoch: int) -> float:
        """The main figure over the whole validation list.

        Of the moving average of the weights if there is one; the network's is logged beside it.
        NaN if the outputs of any sample are not finite: such a network is not the best.
        """
        self.process.doing("validation")
        models: dict[str, nn.Module] = {"": self.train_step.model}
        if self.train_step.average is not None:
            models["ema_"] = self.train_step.average.module
        report = ValidationReport(epoch, self.val_data, self.val_meter, self.words)
        for prefix, model in models.items():
            if prefix not in self._validated:
                self._validated[prefix] = self.compiling.for_evaluation(model)
            result = validate(
                model,
                self.val_data,
                meter=self.val_meter,
                normalize=self.train_step.normalize,
                precision=self.train_step.precision,
                process=self.process,
                stops=lambda: bool(self._signals.received),
                run=self._validated[prefix],
            )
            if self._asked_to_stop():
                raise _AskedToStopError
            report.add(prefix, result)
        return report.write(self.metrics, step=epoch * self._steps)

    def _generator(self, epoch: int, step: int) -> torch.Generator:
        """Of the draws of a step, both from 0."""
        # The last number keeps it apart from the generators of samples, (seed, epoch, index, attempt).
        return generator_for(self.seed, epoch, step, self.process.rank, 2)

    def _save(self, at: ResumePoint, *, last: bool = False) -> None:
        self._stop_if_diverged()
        self.checkpoints.save(at, last=last)

    def _stop_if_diverged(self) -> None:
        stop_if_diverged(
            self.train_step,
            self.train_data,
            self.process,
            first_step=self._first_step,
            generator=self._generator,
            output_dir=self.checkpoints.output_dir,
            words=self.words,
        )

    def _stop_if_asked(self, at: ResumePoint, *, saved: bool) -> None:
        """Save and stop, all processes at the same step, if one of them got a signal."""
        number = self._asked_to_stop()
        if not number:
            return
        if not saved:
            self._save(at, last=True)
        name = signal.Signals(number).name
        path = self.checkpoints.path(at)
        raise StoppedBySignal(f"stopped by {name}; {path} is saved, start again to go on", number)

    def _asked_to_stop(self) -> int:
        """The signal that one of the processes got; 0 if none did. Every process must call it."""
        self.process.doing("agreeing to go on")
        return max(self.process.gather(self._signals.received))
