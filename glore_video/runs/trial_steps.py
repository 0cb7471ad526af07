"""Training steps of a run with inputs that are made up, to see what memory they need."""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Protocol

import torch

from glore_video.config import Config, with_values
from glore_video.engine.batch_norms import freeze_batch_norms
from glore_video.engine.launch.processes import Process
from glore_video.engine.train_step import TrainStep
from glore_video.processes.memory import forget_most_memory, memory_now, most_memory
from glore_video.processes.torch_words import is_out_of_memory
from glore_video.runs.network import build_compiling, build_model
from glore_video.runs.training import build_train_step
from glore_video.tasks import task_of

# The optimiser makes its state in the first; the second has all that later ones have.
_STEPS = 2


class Meter(Protocol):
    """Of the memory of a device."""

    def start(self) -> None:
        """Forget what was needed before."""

    def most(self) -> int:
        """Bytes that were needed at most since then, of this process in all."""


class GpuMeter:
    """What torch has taken of a GPU, what lies between its tensors included."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def start(self) -> None:
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self._device)

    def most(self) -> int:
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_reserved(self._device)

    def room(self) -> int:
        """Bytes that torch may have: what is free and what it has taken already."""
        free, _ = torch.cuda.mem_get_info(self._device)
        return free + torch.cuda.memory_reserved(self._device)


class CpuMeter:
    """What the process has in memory. Raises OSError where the system does not tell."""

    def start(self) -> None:
        gc.collect()
        forget_most_memory()

    def most(self) -> int:
        return most_memory()

    def now(self) -> int:
        return memory_now()


class TrialSteps:
    """Steps as the run takes them, one process' share: forward, backward, optimiser, moving average.

    Args:
        config: of the run, whose number of classes is known.
        process: alone; of the run's kind of device.
        meter: of the device's memory.
    """

    def __init__(self, config: Config, process: Process, meter: Meter) -> None:
        self._process, self._meter = process, meter
        self._samples = config.AUG.NUM_SAMPLE
        self.step = smallest_batch(config)
        # A batch that no norm thinks small: others are given to the steps.
        self._config = with_values(config, {"TRAIN.BATCH_SIZE": 64 * self.step})
        self._task = task_of(self._config)

    def __call__(self, batch: int) -> int | None:
        """Bytes that steps of so many samples need; None if there are not so many."""
        self._meter.start()
        try:
            self._run(batch * self._samples)
            return self._meter.most()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            # What the frames hold goes with their traceback.
            error.__traceback__ = error.__context__ = None
        finally:
            self._clear()
        return None

    @cached_property
    def train_step(self) -> TrainStep:
        with _quiet():
            torch.manual_seed(self._config.RNG_SEED)
            model = build_model(self._config)
            step = build_train_step(self._config, self._task, model, self._process)
        step.parallel.train()
        if self._config.MODEL.FROZEN_BN:
            freeze_batch_norms(step.model)
        return step

    def _run(self, inputs: int) -> None:
        one = torch.randint(0, 256, (1, *self._task.input_shape), dtype=torch.uint8)
        pixels = one.expand(inputs, *one.shape[1:]).contiguous(
            memory_format=self._task.memory_format
        )
        targets, generator = self._task.example_targets(inputs), torch.Generator()
        step = self.train_step
        step.trials = step.precision.trials()  # of algorithms: a run has one shape, this has many
        compiling = build_compiling(self._config)
        if (
            compiling.what == "all"
        ):  # for one number of inputs, after a step that runs as it is written
            torch._dynamo.reset()
            step.compiled = compiling.for_training(
                step.parallel, batch_size=inputs // step.accumulation
            )
        for _ in range(_STEPS + (compiling.what == "all")):
            step(pixels, targets, generator)

    def _clear(self) -> None:
        if "train_step" in self.__dict__:
            self.train_step.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        if self._process.device.type == "cuda":
            torch.cuda.empty_cache()


def smallest_batch(config: Config) -> int:
    """Samples of one process that can be divided as the config wants."""
    splits = config.BN.NUM_SPLITS if config.BN.NORM_TYPE == "sub_batchnorm" else 1
    parts = config.TRAIN.ACCUMULATION_STEPS * splits
    return parts // math.gcd(parts, config.AUG.NUM_SAMPLE)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what a run logs of its optimiser and batch norms."""
    logger = logging.getLogger("glore_video")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
