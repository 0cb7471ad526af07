"""Training: epochs of steps, validation, checkpoints, resume."""

from __future__ import annotations

import copy
import logging
import signal
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from glore_video.data.batches import Batch
from glore_video.data.samplers import TrainingBatches
from glore_video.data.seeding import generator_for, mixed_seed
from glore_video.engine.batch_norms import freeze_batch_norms, take_precise_statistics
from glore_video.engine.checkpoint import (
    BEST_NAME,
    checkpoint_path,
    last_checkpoint,
    latest_readable,
    remove_old_checkpoints,
    save_checkpoint,
)
from glore_video.engine.divergence import first_non_finite
from glore_video.engine.launch.processes import Process
from glore_video.engine.optimizer import set_learning_rate
from glore_video.engine.resume import Start, collect_state, restore_state
from glore_video.engine.rng import set_rng_state
from glore_video.engine.run_log import MetricsLog, progress
from glore_video.engine.schedule import Schedule
from glore_video.engine.slowdown import Slowdown
from glore_video.engine.step_report import StepReport
from glore_video.engine.threads import choose_threads
from glore_video.engine.train_step import Update
from glore_video.engine.unreadable import BadVideos
from glore_video.engine.validation import validate
from glore_video.errors import UsageError
from glore_video.models.units.idle_units import refuse_idle_units
from glore_video.processes.stop_signals import StoppedBySignal, StopSignals

logger = logging.getLogger(__name__)


class _AskedToStopError(Exception):
    """A signal came while an epoch ends, which is then done anew."""


@dataclass(kw_only=True)
class Trainer:
    """All that a training run needs; `train()` does the whole of it.

    Attributes:
        update: the network, its optimiser, and what one step does.
        batches: order of the training clips; its epoch is set here.
        num_val: videos of the validation list, over all processes.
        checkpoint_steps: steps between checkpoints within an epoch; 0 for none.
        keep_checkpoints: checkpoints after whole epochs to keep; 0 for all.
        freeze_norms: batch norms use their running statistics, and keep them.
        precise_bn_batches: batches over which batch norm statistics are taken anew before a
            validation or a checkpoint; 0 keeps the running averages.
        checkpoint_extras: plain values that go into every checkpoint (config, class names).
    """

    update: Update
    schedule: Schedule
    train_loader: DataLoader[Any]
    batches: TrainingBatches
    val_loader: DataLoader[Any]
    num_val: int
    process: Process
    metrics: MetricsLog
    output_dir: Path
    max_epoch: int
    eval_period: int
    checkpoint_period: int
    checkpoint_steps: int
    keep_checkpoints: int
    log_period: int
    bad_videos: BadVideos
    freeze_norms: bool
    precise_bn_batches: int
    seed: int
    checkpoint_extras: dict[str, Any]
    _best_top1: float = -1.0
    _at: tuple[int, int] = (0, 0)  # epoch and step, both from 0
    _first_step: int = 0  # of this process, over all epochs
    _slowdown: Slowdown | None = None

    def train(self, *, auto_resume: bool) -> None:
        """Train up to max_epoch. Leaves metrics and checkpoints in output_dir.

        Raises StoppedBySignal after a signal, once the state is saved.
        """
        self.process.doing("looking for a checkpoint")
        start = self._resume() if auto_resume else Start()
        self._best_top1 = start.best_top1
        self._first_step = start.epoch * self.batches.batches_an_epoch + start.step
        with StopSignals(says=self.process.is_main) as self._signals:
            self._settle_threads(start)
            if self.process.device.type == "cpu":
                self._slowdown = Slowdown(torch.get_num_threads())
            if start.end_due:
                self.batches.epoch = start.epoch - 1
                self._end_epoch(start.epoch, saves=True)
            for epoch in range(start.epoch, self.max_epoch):
                self._train_epoch(epoch, start if epoch == start.epoch else Start(epoch))
                self._end_epoch(epoch + 1)

    def _settle_threads(self, start: Start) -> None:
        """Computing threads on the CPU: those of the run before it stopped, or the fastest number.

        How sums are rounded depends on it: it stays the same over a run.
        """
        most = self.process.most_threads
        if not most:
            return
        if start.cpu_threads:
            torch.set_num_threads(start.cpu_threads)
            if start.cpu_threads > most:
                logger.warning(
                    "the run goes on with %d threads as before, but only %d CPUs are free for them: "
                    "CPU_THREADS %d is faster, and rounds otherwise",
                    *(start.cpu_threads, most, most),
                )
            return
        steps = self.batches.batches_an_epoch
        choose_threads(
            self._trial_steps(start),
            most=most,
            steps_to_come=(self.max_epoch - start.epoch) * steps - start.step,
            gather=self.process.gather,
        )
        # Not a step is made with a number that nobody has chosen, and that the run would keep.
        if number := max(self.process.gather(self._signals.received)):
            name = signal.Signals(number).name
            raise StoppedBySignal(f"stopped by {name} before a step; start again to go on", number)

    def _trial_steps(self, start: Start) -> Generator[None, None, None]:
        """Forward and backward passes of a copy of the network, a batch at each next()."""
        network = copy.deepcopy(self.update.model).train()
        if self.freeze_norms:
            freeze_batch_norms(network)
        self.batches.epoch, self.batches.first = start.epoch, start.step
        while not self._signals.received:
            for batch in self.train_loader:
                self.process.doing("timing steps")
                if batch.inputs is not None:
                    generator = self._generator(start.epoch, start.step)
                    losses = self.update.losses(batch.inputs, batch.targets, generator, network)
                    for loss in losses:
                        loss.backward()
                    network.zero_grad()
                yield
                if self._signals.received:
                    return

    def _end_epoch(self, done: int, *, saves: bool = False) -> None:
        last = done == self.max_epoch
        validates = last or done % self.eval_period == 0
        saves = saves or last or done % self.checkpoint_period == 0
        try:
            if validates or saves:
                self._settle_batch_norm()
            top1 = self._validate(done) if validates else float("nan")
        except _AskedToStopError:
            self._stop_if_asked(Start(done, end_due=True), saved=False)
            raise
        if top1 > self._best_top1:
            self._best_top1 = top1
            self._save(Start(done), path=self.output_dir / "checkpoints" / BEST_NAME)
        if saves:
            self._save(Start(done), last=last)
        self._stop_if_asked(Start(done), saved=saves)

    def _train_epoch(self, epoch: int, start: Start) -> None:
        self.batches.epoch = epoch
        self.batches.first = start.step
        # Dropout depends on (seed, epoch, process) only, so a resumed run draws the same masks.
        torch.manual_seed(mixed_seed(self.seed, epoch, self.process.rank))
        self.update.parallel.train()
        if self.freeze_norms:
            freeze_batch_norms(self.update.model)
        steps = self.batches.batches_an_epoch
        total = torch.zeros(4, dtype=torch.float64, device=self.process.device) + start.total
        report = StepReport(
            self.update.times,
            num_workers=self.train_loader.num_workers,
            steps=steps,
            epochs=self.max_epoch,
            world_size=self.process.world_size,
            slowdown=self._slowdown,
        )
        epoch_start = time.perf_counter()
        bar = progress(
            self.train_loader,
            total=steps,
            initial=start.step,
            name=f"epoch {epoch + 1}/{self.max_epoch}",
            is_main=self.process.is_main,
            plain_seconds=10,
            spoken_at=lambda: report.spoken_at,
        )
        self.update.times.skip()
        self.process.doing("reading data", step=epoch * steps + start.step)
        for step, batch in enumerate(bar, start=start.step):
            self.update.times.mark("data")
            if step == start.step and start.rng_state is not None:
                set_rng_state(start.rng_state)
            self.bad_videos.note(batch)
            rate = self.schedule.at(epoch + step / steps)
            set_learning_rate(self.update.optimizer, rate)
            self._at = (epoch, step)
            sums = self._step(batch)
            total += sums
            report.add(sums)
            done = step + 1
            here = Start(epoch, done, total)
            logs = done % self.log_period == 0 or done == steps
            saves = bool(self.checkpoint_steps) and done % self.checkpoint_steps == 0
            alone = self.process.world_size == 1
            if logs or saves or (alone and self.process.device.type == "cpu"):
                self._stop_if_diverged()
            if logs:
                report.write(self.metrics, epoch=epoch, step=done, rate=rate)
            # Several processes must agree to stop, which is worth a message at log lines only.
            if done < steps and (alone or done % self.log_period == 0):
                self._stop_if_asked(here, saved=False)
            if saves and done < steps:
                self._save(here)
            if logs or saves:
                self.update.times.skip()
            self.process.doing("reading data", step=epoch * steps + done)
        loss, correct, clips, _ = self.process.sum(total).tolist()
        seconds = time.perf_counter() - epoch_start
        self.metrics.write(
            "train_epoch",
            step=(epoch + 1) * steps,
            epoch=epoch + 1,
            loss=loss / clips,
            top1=100 * correct / clips,
            seconds=seconds,
            bad_videos=len(self.bad_videos.reasons),
        )
        logger.info(
            "epoch %d/%d: loss %.4f, top-1 %.2f%%, %.0f s",
            *(epoch + 1, self.max_epoch, loss / clips, 100 * correct / clips, seconds),
        )

    def _step(self, batch: Batch) -> Tensor:
        """One update. Returns (sum of losses, correct clips, clips, norm of the gradient)."""
        clips = _readable(batch)
        self.process.doing("forward and backward")
        sums = self.update(clips, batch.targets, self._generator(*self._at))
        refuse_idle_units(self.update.model)
        return sums

    def _generator(self, epoch: int, step: int) -> torch.Generator:
        # The last number keeps it apart from the generators of clips, (seed, epoch, index, attempt).
        return generator_for(self.seed, epoch, step, self.process.rank, 2)

    def _stop_if_diverged(self) -> None:
        """Raises ValueError that names the step, the module and the videos."""
        flags = float(self.update.diverged), int(self.update.finite_steps)
        finite = [count for bad, count in self.process.gather(flags) if bad]
        if not finite:
            return
        steps = self.batches.batches_an_epoch
        epoch, step = divmod(self._first_step + min(finite), steps)
        self.process.doing("looking for what is not finite")
        self.batches.epoch, self.batches.first = epoch, step
        batch = next(iter(self.train_loader))
        found = first_non_finite(
            self.update.model,
            self.update.losses(batch.inputs, batch.targets, self._generator(epoch, step)),
        )
        videos = [self.train_loader.dataset.videos.path(i) for i in batch.indices]  # type: ignore[attr-defined]
        reports = self.process.gather((found, videos))
        found, videos = next((report for report in reports if report[0]), reports[0])
        logger.error("videos of the batch: %s", ", ".join(videos))
        last = last_checkpoint(self.output_dir)
        raise UsageError(
            f"the loss or its gradient was not finite at step {step + 1} of {steps} in epoch "
            f"{epoch + 1}: {found or 'it did not show when the batch was computed again'}. Videos "
            f"of the batch: {', '.join(videos[:4])}{', ... (log.txt)' if len(videos) > 4 else ''}. "
            f"{last or 'No checkpoint'} is the last good one. Lower SOLVER.BASE_LR, lengthen "
            "SOLVER.WARMUP_EPOCHS or set SOLVER.CLIP_GRAD_L2NORM"
        )

    def _stop_if_asked(self, at: Start, *, saved: bool) -> None:
        """Save and stop, all processes at the same step, if one of them got a signal."""
        number = self._asked_to_stop()
        if not number:
            return
        if not saved:
            self._save(at, last=True)
        name = signal.Signals(number).name
        path = checkpoint_path(self.output_dir, at.epoch, at.step)
        raise StoppedBySignal(f"stopped by {name}; {path} is saved, start again to go on", number)

    def _asked_to_stop(self) -> int:
        """The signal that one of the processes got; 0 if none did. Every process must call it."""
        self.process.doing("agreeing to go on")
        return max(self.process.gather(self._signals.received))

    def _settle_batch_norm(self) -> None:
        """Batch norm statistics for what follows: precise ones if wanted, one for all processes."""
        average = self.update.average
        models = [self.update.model, *([average.module] if average else [])]
        if self.precise_bn_batches and not self.freeze_norms:
            self.process.doing("precise batch norm")
            count = min(self.precise_bn_batches, self.batches.batches_an_epoch)
            self.batches.first = 0
            for model in models:
                with self.update.precision.autocast():
                    unseen = take_precise_statistics(
                        model, self._training_clips(), count, self.process
                    )
            if unseen:
                logger.warning(
                    "batch norms that no clip goes through keep their statistics: %s",
                    ", ".join(unseen),
                )
        for model in models:
            self.process.average_buffers(model)

    def _training_clips(self) -> Iterator[Tensor]:
        alone = self.process.world_size == 1
        for number, batch in enumerate(self.train_loader):
            if (alone or number % self.log_period == 0) and self._asked_to_stop():
                raise _AskedToStopError
            self.process.doing("precise batch norm")
            yield self.update.normalize(_readable(batch), self.process.device)

    def _validate(self, epoch: int) -> float:
        """Top-1 in percent over the whole validation list, the centre clip of each video.

        Of the moving average of the weights if there is one; the network's is logged beside it.
        NaN if the scores of any video are not finite: such a network is not the best.
        """
        self.process.doing("validation")
        step = epoch * self.batches.batches_an_epoch
        models: dict[str, nn.Module] = {"": self.update.model}
        if self.update.average is not None:
            models["ema_"] = self.update.average.module
        values: dict[str, float] = {}
        for prefix, model in models.items():
            result = validate(
                model,
                self.val_loader,
                normalize=self.update.normalize,
                precision=self.update.precision,
                process=self.process,
                stops=lambda: bool(self._signals.received),
            )
            if self._asked_to_stop():
                raise _AskedToStopError
            if not result.scored:
                raise UsageError(f"none of the {self.num_val} validation videos could be read")
            values |= {f"{prefix}loss": result.loss, f"{prefix}top1": result.top1}
            logger.info(
                "validation after epoch %d%s: top-1 %.2f%%, loss %.4f (%d of %d videos, centre clip)",
                *(epoch, ", moving average" if prefix else "", result.top1, result.loss),
                *(result.scored, self.num_val),
            )
            if result.not_finite:
                bad = result.not_finite
                logger.warning(
                    "validation after epoch %d%s: the network's scores of %d videos are not finite; "
                    "they count as wrong, and this is no best checkpoint: %s%s",
                    *(epoch, ", moving average" if prefix else "", len(bad)),
                    *(", ".join(bad[:4]), ", ... (log.txt)" if len(bad) > 4 else ""),
                )
                logger.debug("not finite: %s", ", ".join(bad))
        for path, reason in result.failed:
            logger.warning("not validated, unreadable: %s: %s", path, reason)
        self.metrics.write(
            "val_epoch",
            step=step,
            epoch=epoch,
            **values,
            videos_expected=self.num_val,
            videos_scored=result.scored,
            videos_not_finite=len(result.not_finite),
        )
        return float("nan") if result.not_finite else result.top1

    def _save(self, at: Start, *, path: Path | None = None, last: bool = False) -> None:
        """Save the state at this point. If it can't be written, only the `last` one stops the run."""
        self._stop_if_diverged()
        self.process.doing("saving a checkpoint")
        at = replace(at, best_top1=self._best_top1)
        state = collect_state(self.update, self.batches, self.process, at)
        if self.process.is_main:
            path = path or checkpoint_path(self.output_dir, at.epoch, at.step)
            try:
                save_checkpoint(path, {**state, **self.checkpoint_extras})
            except OSError as error:
                if last:
                    raise
                logger.error("%s; the run goes on", error)
            else:
                remove_old_checkpoints(self.output_dir, keep=self.keep_checkpoints)
                logger.info("saved %s", path)
        self.process.barrier()

    def _resume(self) -> Start:
        found = latest_readable(self.output_dir)
        name = found[0].name if found else "none"
        self.process.agree(name, what="the last checkpoint in OUTPUT_DIR")
        if found is None:
            self.metrics.forget_after(-1)  # what a run wrote that was killed before its first one
            return Start()
        path, state = found
        start = restore_state(state, path, self.update, self.batches, self.process)
        self.metrics.forget_after(start.epoch * self.batches.batches_an_epoch + start.step)
        if start.epoch >= self.max_epoch and not start.end_due:
            logger.info(
                "%s: all %d epochs are trained already (TRAIN.AUTO_RESUME False starts anew)",
                *(path, self.max_epoch),
            )
        else:
            logger.info("resuming from %s", path)
        return start


def _readable(batch: Batch) -> Tensor:
    if batch.inputs is None:
        raise UsageError("no readable video among 20 drawn for each clip of a batch")
    return batch.inputs
