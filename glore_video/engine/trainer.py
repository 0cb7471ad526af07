"""Training: epochs of steps, validation, checkpoints, resume."""

from __future__ import annotations

import logging
import math
import signal
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from glore_video.datasets.loader import ClipBatch, TrainingBatches
from glore_video.datasets.seeding import mixed_seed
from glore_video.datasets.video_list import Failure
from glore_video.engine.checkpoint import (
    BEST_NAME,
    checkpoint_path,
    last_checkpoint,
    read_checkpoint,
    remove_old_checkpoints,
    save_checkpoint,
)
from glore_video.engine.distributed import Process
from glore_video.engine.interruption import StoppedBySignal, StopSignals
from glore_video.engine.on_device import Precision, Preprocessing
from glore_video.engine.optimizer import set_learning_rate
from glore_video.engine.rng import get_rng_state, set_rng_state
from glore_video.engine.run_log import MetricsLog, progress
from glore_video.engine.schedule import Schedule
from glore_video.engine.validation import validate

logger = logging.getLogger(__name__)

# Unreadable videos below this number never stop a run, whatever their share.
_FEW_BAD_VIDEOS = 8


@dataclass(kw_only=True)
class Trainer:
    """All that a training run needs; `train()` does the whole of it.

    Attributes:
        model: the bare network, on the process' device.
        parallel: the same, or wrapped so that gradients are averaged over processes.
        batches: order of the training clips; its epoch is set here.
        num_val: videos of the validation list, over all processes.
        checkpoint_steps: steps between checkpoints within an epoch; 0 for none.
        keep_checkpoints: checkpoints after whole epochs to keep; 0 for all.
        precise_bn_batches: batches over which batch norm statistics are taken anew before a
            validation or a checkpoint; 0 keeps the running averages.
        checkpoint_extras: plain values that go into every checkpoint (config, class names).
    """

    model: nn.Module
    parallel: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    train_loader: DataLoader[Any]
    batches: TrainingBatches
    val_loader: DataLoader[Any]
    num_val: int
    preprocessing: Preprocessing
    precision: Precision
    process: Process
    metrics: MetricsLog
    output_dir: Path
    max_epoch: int
    eval_period: int
    checkpoint_period: int
    checkpoint_steps: int
    keep_checkpoints: int
    log_period: int
    clip_grad_norm: float
    max_bad_fraction: float
    precise_bn_batches: int
    seed: int
    checkpoint_extras: dict[str, Any]
    bad_videos: dict[str, str] = field(default_factory=dict)
    _best_top1: float = -1.0
    _draws: int = 0
    _failed_draws: int = 0

    def train(self, *, auto_resume: bool) -> None:
        """Train up to max_epoch. Leaves metrics and checkpoints in output_dir.

        Raises StoppedBySignal after a signal, once the state is saved.
        """
        self.scaler = self.precision.scaler()
        start = self._resume() if auto_resume else _Start()
        with StopSignals() as self._signals:
            for epoch in range(start.epoch, self.max_epoch):
                self._train_epoch(epoch, start if epoch == start.epoch else _Start(epoch))
                self._end_epoch(epoch + 1)

    def _end_epoch(self, done: int) -> None:
        last = done == self.max_epoch
        validates = last or done % self.eval_period == 0
        saves = last or done % self.checkpoint_period == 0
        if validates or saves:
            self._settle_batch_norm()
        if validates:
            top1 = self._validate(done)
            if top1 > self._best_top1:
                self._best_top1 = top1
                self._save(done, path=self.output_dir / "checkpoints" / BEST_NAME)
        if saves:
            self._save(done)
        self._stop_if_asked(done, 0, saved=saves)

    def _train_epoch(self, epoch: int, start: _Start) -> None:
        self.batches.epoch = epoch
        self.batches.first = start.step
        # Dropout depends on (seed, epoch, process) only, so a resumed run draws the same masks.
        torch.manual_seed(mixed_seed(self.seed, epoch, self.process.rank))
        self.parallel.train()
        steps = self.batches.batches_an_epoch
        total = torch.zeros(3, dtype=torch.float64, device=self.process.device) + start.total
        window = _Window(self.process.device)
        epoch_start = time.perf_counter()
        bar = progress(
            self.train_loader,
            total=steps,
            initial=start.step,
            name=f"epoch {epoch + 1}/{self.max_epoch}",
            is_main=self.process.is_main,
            plain_seconds=0,  # _log_window speaks
        )
        waiting_since = time.perf_counter()
        for step, batch in enumerate(bar, start=start.step):
            if step == start.step and start.rng_state is not None:
                set_rng_state(start.rng_state)
            window.data_seconds += time.perf_counter() - waiting_since
            self._note_failures(batch.failures, drawn=len(batch.indices) + len(batch.failures))
            rate = self.schedule.at(epoch + step / steps)
            set_learning_rate(self.optimizer, rate)
            sums = self._step(batch)
            total += sums
            window.sums += sums
            window.steps += 1
            done = step + 1
            if done % self.log_period == 0 or done == steps:
                self._log_window(window, epoch, done, steps, rate)
                window = _Window(self.process.device)
            # Several processes must agree to stop, which is worth a message at log lines only.
            if done < steps and (self.process.world_size == 1 or done % self.log_period == 0):
                self._stop_if_asked(epoch, done, saved=False, total=total)
            if self.checkpoint_steps and done % self.checkpoint_steps == 0 and done < steps:
                self._save(epoch, step=done, total=total)
            waiting_since = time.perf_counter()
        loss, correct, clips = self.process.sum(total).tolist()
        seconds = time.perf_counter() - epoch_start
        self.metrics.write(
            "train_epoch",
            step=(epoch + 1) * steps,
            epoch=epoch + 1,
            loss=loss / clips,
            top1=100 * correct / clips,
            seconds=seconds,
            bad_videos=len(self.bad_videos),
        )
        logger.info(
            "epoch %d/%d: loss %.4f, top-1 %.2f%%, %.0f s",
            *(epoch + 1, self.max_epoch, loss / clips, 100 * correct / clips, seconds),
        )

    def _stop_if_asked(
        self, epoch: int, step: int, *, saved: bool, total: Tensor | None = None
    ) -> None:
        """Save and stop, all processes at the same step, if one of them got a signal."""
        number = max(self.process.gather(self._signals.received))
        if not number or epoch == self.max_epoch:
            return
        if not saved:
            self._save(epoch, step=step, total=total)
        name = signal.Signals(number).name
        path = checkpoint_path(self.output_dir, epoch, step)
        raise StoppedBySignal(f"stopped by {name}; {path} is saved, start again to go on", number)

    def _step(self, batch: ClipBatch) -> Tensor:
        """One update. Returns (sum of losses, correct clips, clips), on the device."""
        if batch.clips is None:
            raise ValueError("no readable video among 20 drawn for each clip of a batch")
        device = self.process.device
        clips = self.preprocessing(batch.clips, device)
        labels = batch.labels.to(device, non_blocking=True)
        with self.precision.autocast():
            logits = self.parallel(clips)
        loss = F.cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.clip_grad_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():
            correct = (logits.argmax(dim=1) == labels).sum()
            count = len(labels)
            return torch.stack(
                [loss.double() * count, correct.double(), correct.new_tensor(count).double()]
            )

    def _log_window(self, window: _Window, epoch: int, step: int, steps: int, rate: float) -> None:
        loss, correct, clips = window.sums.tolist()  # waits for the device
        seconds = time.perf_counter() - window.start
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss became {loss} at epoch {epoch + 1}, by step {step} of {steps}; "
                "lower SOLVER.BASE_LR, lengthen SOLVER.WARMUP_EPOCHS or set SOLVER.CLIP_GRAD_L2NORM"
            )
        data = window.data_seconds / window.steps
        compute = seconds / window.steps - data
        self.metrics.write(
            "train_iter",
            step=epoch * steps + step,
            epoch=epoch + step / steps,
            lr=rate,
            loss=loss / clips,
            top1=100 * correct / clips,
            data_seconds=data,
            compute_seconds=compute,
        )
        logger.info(
            "epoch %d step %d/%d: loss %.4f, top-1 %.1f%%, lr %.3g, data %.0f ms + compute %.0f ms a step",
            *(epoch + 1, step, steps, loss / clips, 100 * correct / clips, rate),
            *(1000 * data, 1000 * compute),
        )

    def _note_failures(self, failures: tuple[Failure, ...], drawn: int) -> None:
        self._draws += drawn
        self._failed_draws += len(failures)
        for path, reason in failures:
            if path not in self.bad_videos:
                self.bad_videos[path] = reason
                logger.warning("unreadable video, another takes its place: %s: %s", path, reason)
        if (
            len(self.bad_videos) >= _FEW_BAD_VIDEOS
            and self._failed_draws > self.max_bad_fraction * self._draws
        ):
            raise ValueError(
                f"{self._failed_draws} of {self._draws} training videos could not be read, more "
                f"than DATA.MAX_BAD_FRACTION = {self.max_bad_fraction}; log.txt names them"
            )

    def _settle_batch_norm(self) -> None:
        """Batch norm statistics for what follows: precise ones if wanted, one for all processes."""
        if self.precise_bn_batches:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of fvcore's own imports
                from fvcore.nn.precise_bn import update_bn_stats

            self.model.train()
            self.batches.first = 0
            with self.precision.autocast():
                update_bn_stats(
                    self.model,
                    self._training_clips(),
                    min(self.precise_bn_batches, self.batches.batches_an_epoch),
                )
        self.process.average_buffers(self.model)

    def _training_clips(self) -> Iterator[Tensor]:
        for batch in self.train_loader:
            if batch.clips is not None:
                yield self.preprocessing(batch.clips, self.process.device)

    def _validate(self, epoch: int) -> float:
        """Top-1 in percent over the whole validation list, the centre clip of each video."""
        result = validate(
            self.model,
            self.val_loader,
            preprocessing=self.preprocessing,
            precision=self.precision,
            process=self.process,
        )
        for path, reason in result.failed:
            logger.warning("not validated, unreadable: %s: %s", path, reason)
        if not result.scored:
            raise ValueError(f"none of the {self.num_val} validation videos could be read")
        self.metrics.write(
            "val_epoch",
            step=epoch * self.batches.batches_an_epoch,
            epoch=epoch,
            loss=result.loss,
            top1=result.top1,
            videos_expected=self.num_val,
            videos_scored=result.scored,
        )
        logger.info(
            "validation after epoch %d: top-1 %.2f%%, loss %.4f (%d of %d videos, centre clip)",
            *(epoch, result.top1, result.loss, result.scored, self.num_val),
        )
        return result.top1

    def _save(
        self,
        epoch: int,
        *,
        step: int = 0,
        total: Tensor | None = None,
        path: Path | None = None,
    ) -> None:
        """Save the state after `epoch` whole epochs and `step` steps of the next one."""
        rng_states = self.process.gather(get_rng_state())
        totals = self.process.gather(None if total is None else total.tolist())
        if self.process.is_main:
            path = path or checkpoint_path(self.output_dir, epoch, step)
            state = {
                "model_state": self.model.state_dict(),
                "optimizer_state": self.optimizer.state_dict(),
                "scaler_state": self.scaler.state_dict(),
                "epoch": epoch,
                "step": step,
                "best_top1": self._best_top1,
                "sampler_state": {"seed": self.batches.seed, "batch_size": self.batches.batch_size},
                "rng_states": rng_states,
                "epoch_totals": totals,
                **self.checkpoint_extras,
            }
            save_checkpoint(path, state)
            remove_old_checkpoints(self.output_dir, keep=self.keep_checkpoints)
            logger.info("saved %s", path)
        self.process.barrier()

    def _resume(self) -> _Start:
        path = last_checkpoint(self.output_dir)
        if path is None:
            return _Start()
        state = read_checkpoint(path)
        try:
            self.model.load_state_dict(state["model_state"])
            self.optimizer.load_state_dict(state["optimizer_state"])
            self.scaler.load_state_dict(state["scaler_state"])
        except (RuntimeError, ValueError, KeyError):
            raise ValueError(
                f"{path} is of another network or optimiser than this configuration; set "
                "TRAIN.AUTO_RESUME False or choose another OUTPUT_DIR"
            ) from None
        self._best_top1 = state["best_top1"]
        start = self._start_of(state, path)
        self.metrics.forget_after(start.epoch * self.batches.batches_an_epoch + start.step)
        if start.epoch >= self.max_epoch:
            logger.info(
                "%s: all %d epochs are trained already (TRAIN.AUTO_RESUME False starts anew)",
                *(path, self.max_epoch),
            )
        else:
            logger.info("resuming from %s", path)
        return start

    def _start_of(self, state: dict[str, Any], path: Path) -> _Start:
        """Where a run goes on. With as many processes as before, exactly where it was."""
        if not state["step"]:
            return _Start(state["epoch"])
        ours = {"seed": self.batches.seed, "batch_size": self.batches.batch_size}
        if state["sampler_state"] != ours:
            raise ValueError(
                f"{path} was made within an epoch with RNG_SEED and TRAIN.BATCH_SIZE "
                f"{tuple(state['sampler_state'].values())}, not {tuple(ours.values())}"
            )
        totals = state["epoch_totals"]
        if len(totals) == self.process.world_size:
            rank = self.process.rank
            return _Start(
                state["epoch"],
                state["step"],
                torch.tensor(totals[rank], dtype=torch.float64),
                state["rng_states"][rank],
            )
        share = torch.tensor(totals, dtype=torch.float64).sum(dim=0) / self.process.world_size
        return _Start(state["epoch"], state["step"], share)


@dataclass(frozen=True)
class _Start:
    """A point in a run: whole epochs, steps of the next one, and what belongs to those steps.

    Attributes:
        total: sums of the epoch's steps so far, of this process.
        rng_state: of this process at that point; None if it is not known.
    """

    epoch: int = 0
    step: int = 0
    total: Tensor | float = 0.0
    rng_state: dict[str, Tensor] | None = None


class _Window:
    """Sums and times since the last log line."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)
        self.steps = 0
        self.data_seconds = 0.0
        self.start = time.perf_counter()
