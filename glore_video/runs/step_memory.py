"""Memory of a training step, computed: the backward pass, weights and what belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.config import Config
from glore_video.engine.batch_norms import freeze_batch_norms
from glore_video.models.deployment.complexity_table import TrainingMemory
from glore_video.models.deployment.saved_memory import (
    SavedMemory,
    UncountableError,
    count_saved,
)
from glore_video.runs.training import make_trainable, samples_per_step
from glore_video.tasks import task_of

_GIB = 2**30
# Tensors as large as the weights that an optimiser keeps.
_OPTIMISER = {"sgd": 1, "adam": 2, "adamw": 2, "lamb": 2}


@dataclass(frozen=True)
class StepMemory:
    """Bytes that a training step of one process needs, workspaces and gradients of activations apart.

    Attributes:
        inputs: that are computed together.
        kept: for their backward pass.
        states: weights, gradients, the optimiser's, the moving average.
    """

    inputs: int
    kept: int
    states: int

    @property
    def total(self) -> int:
        return self.kept + self.states


def step_memory(config: Config, model: nn.Module, saved: SavedMemory) -> StepMemory:
    """Of a step of the run.

    Args:
        model: as `make_trainable` left it.
        saved: of one input, as the run computes it.
    """
    inputs = inputs_together(config)
    return StepMemory(inputs, saved.of(inputs), state_bytes(config, model))


def inputs_together(config: Config) -> int:
    """That a process computes together, rounded up."""
    processes = config.NUM_GPUS or config.CPU_PROCESSES
    parts = max(1, processes) * config.TRAIN.ACCUMULATION_STEPS
    return -(-samples_per_step(config) // parts)


def state_bytes(config: Config, model: nn.Module) -> int:
    """Of weights, gradients, optimiser and moving average, in one process."""
    solver = config.SOLVER
    copies = _OPTIMISER[solver.OPTIMIZING_METHOD]
    if solver.OPTIMIZING_METHOD == "sgd" and not solver.MOMENTUM:
        copies = 0
    trained = sum(_bytes(p) for p in model.parameters() if p.requires_grad)
    held = sum(map(_bytes, (*model.parameters(), *model.buffers())))
    averages = 1 if config.TRAIN.EMA_DECAY else 0
    return held * (1 + averages) + trained * (1 + copies)


def count_run(
    config: Config, model: nn.Module, *, shape: Sequence[int] | None = None
) -> TrainingMemory | str:
    """Memory of a run's training, or why it is not known; the model is changed to what is trained.

    Args:
        shape: of an input, instead of the run's.
    """
    task = task_of(config)
    shape = tuple(shape or task.input_shape)
    prepared_for_steps(config, model)
    try:
        plain, low = (
            count_inputs(config, model, amp_dtype=dtype, shape=shape)
            for dtype in (None, torch.bfloat16)
        )
    except UncountableError as error:
        return str(error)
    mixed = config.TRAIN.MIXED_PRECISION
    step = step_memory(config, model, low if mixed else plain)
    words = task.words.input if step.inputs == 1 else task.words.inputs
    where = "GPU" if config.NUM_GPUS else "process"
    line = (
        f"a step of {step.inputs} {words} a {where} in {config.TRAIN.AMP_DTYPE if mixed else 'fp32'}: "
        f"{step.kept / _GIB:.2f} GiB for the backward pass, {step.states / _GIB:.2f} of weights, gradients "
        f"and optimiser, {step.total / _GIB:.2f} in all; workspaces come on top"
    )
    return TrainingMemory(shape, plain, low, line)


def count_inputs(
    config: Config,
    model: nn.Module,
    *,
    amp_dtype: torch.dtype | None,
    device: str = "cuda",
    shape: Sequence[int] = (),
) -> SavedMemory:
    """What inputs of the run keep for the backward pass, the loss included.

    Args:
        model: as `prepared_for_steps` left it.
        amp_dtype, device: as `count_saved` has them.
        shape: of an input, instead of the run's; without the loss, whose targets may be as large as it.
    """
    own = task_of(config).input_shape
    return count_saved(
        model,
        shape or own,
        amp_dtype=amp_dtype,
        device=device,
        loss=loss_of(config) if tuple(shape or own) == own else None,
        batch=inputs_together(config),
        step=config.BN.NUM_SPLITS if config.BN.NORM_TYPE == "sub_batchnorm" else 1,
    )


def prepared_for_steps(config: Config, model: nn.Module) -> None:
    """Change the model, in place, to what a training step runs, in its mode."""
    make_trainable(config, model)
    model.train()
    if config.MODEL.FROZEN_BN:
        freeze_batch_norms(model)


def loss_of(config: Config) -> Callable[[Any, int], Tensor]:
    """Of outputs and their number, against targets that are no data."""
    task = task_of(config)

    def loss(outputs: Any, count: int) -> Tensor:
        device = next(t for t in _tensors(outputs)).device
        return task.objective.loss_sum(outputs, task.example_targets(count).to(device))

    return loss


def _tensors(outputs: Any) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs.values())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
