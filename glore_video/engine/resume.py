"""What a checkpoint of a training run holds, and putting it back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import PLAIN_WORDS, TrainingOrder, Words
from glore_video.engine.rng import get_rng_state
from glore_video.engine.train_step import TrainStep
from glore_video.errors import UsageError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """A point in a run: whole epochs, steps of the next one, and what belongs to those steps.

    Attributes:
        total: sums of the epoch's steps so far, of this process.
        rng_state: of this process at that point; None if it is not known.
        best: greatest main figure of the validations so far; -1 before the first.
        cpu_threads: that computed on the CPU; 0 if it is not known.
        end_due: the end of the last epoch is still to come: batch norm statistics, validation.
    """

    epoch: int = 0
    step: int = 0
    total: Tensor | float = 0.0
    rng_state: dict[str, Tensor] | None = None
    best: float = -1.0
    cpu_threads: int = 0
    end_due: bool = False


def collect_state(
    step: TrainStep, order: TrainingOrder, process: Process, at: ResumePoint
) -> dict[str, Any]:
    """Everything that a run at this point depends on; every process must call it.

    Tensors and plain containers only: it loads with weights_only=True.
    """
    total = at.total.tolist() if isinstance(at.total, Tensor) else None
    threads = torch.get_num_threads() if process.device.type == "cpu" else 0
    state = {
        "model_state": step.model.state_dict(),
        "optimizer_state": step.optimizer.state_dict(),
        "scaler_state": step.scaler.state_dict(),
        "epoch": at.epoch,
        "step": at.step,
        "best": at.best,
        "end_due": at.end_due,
        "sampler_state": dict(order.follows_from),
        "rng_states": process.gather(get_rng_state()),
        "epoch_totals": process.gather(total),
        "cpu_threads": process.gather(threads),
    }
    if step.average is not None:
        state["ema_state"] = step.average.module.state_dict()
        state["ema_steps"] = int(step.average.n_averaged)
    return state


def restore_state(
    state: dict[str, Any],
    path: Path,
    step: TrainStep,
    order: TrainingOrder,
    process: Process,
    words: Words = PLAIN_WORDS,
) -> ResumePoint:
    """Put the state into the network, the optimiser and the rest.

    Checkpoints of before there were other figures than top-1 are taken too.

    Returns where the run goes on: with as many processes as before, exactly where it was.

    Raises:
        UsageError: for the state of another network, optimiser, seed or batch size.
    """
    restore_network(state, path, step.model, step.optimizer, step.scaler)
    if step.average is not None:
        _restore_average(state, path, step.average)
    best = state["best"] if "best" in state else state["best_top1"]
    threads = state.get("cpu_threads", [])
    own = threads[process.rank] if len(threads) == process.world_size else 0
    if not state["step"]:
        return ResumePoint(
            state["epoch"],
            best=best,
            cpu_threads=own,
            end_due=state.get("end_due", False),
        )
    _check_order(state, path, order, words)
    totals = torch.tensor(_epoch_totals(state), dtype=torch.float64, device=process.device)
    if len(totals) == process.world_size:
        rng_state = state["rng_states"][process.rank]
        return ResumePoint(
            state["epoch"], state["step"], totals[process.rank], rng_state, best, own
        )
    logger.warning(
        "%s was made by %d processes, these are %d: the run goes on at the same %s, but random "
        "draws on the device and the order of sums differ",
        *(path, len(totals), process.world_size, words.sample),
    )
    share = totals.sum(dim=0) / process.world_size
    return ResumePoint(state["epoch"], state["step"], share, best=best)


def trained_samples(state: Mapping[str, Any]) -> int | None:
    """The length of the training list that a run's checkpoint was made with, if it is known."""
    sampler = state.get("sampler_state", {})
    return sampler.get("num_samples", sampler.get("num_videos"))


def _check_order(state: Mapping[str, Any], path: Path, order: TrainingOrder, words: Words) -> None:
    """Raises UsageError if steps of an epoch would take other samples than they did before."""
    before = {**state["sampler_state"], "num_samples": trained_samples(state)}
    said = {
        "seed": "RNG_SEED",
        "batch_size": "TRAIN.BATCH_SIZE",
        "num_samples": f"the number of training {words.samples}",
    }
    for name, now in order.follows_from.items():
        if before[name] != now:
            raise UsageError(
                f"{path} was made within an epoch, whose order of {words.samples} depends on "
                f"{said[name]}: it was {before[name]}, not {now}"
            )


def _epoch_totals(state: Mapping[str, Any]) -> list[list[float]]:
    """As TrainStep adds them up; once they were loss, correct clips, clips, norm."""
    totals = state["epoch_totals"]
    if "best" in state:
        return totals
    return [[loss, clips, norm, clips, correct, clips] for loss, correct, clips, norm in totals]


def restore_network(
    state: dict[str, Any],
    path: Path,
    model: nn.Module,
    optimizer: Optimizer,
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    """Weights and what the optimiser remembers; its settings stay those that it was built with.

    Raises UsageError for the state of another network or optimiser.
    """
    settings = [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
    try:
        model.load_state_dict(state["model_state"])
        optimizer.load_state_dict(state["optimizer_state"])
        if scaler is not None:
            scaler.load_state_dict(state["scaler_state"])
    except (RuntimeError, ValueError, KeyError):
        raise UsageError(
            f"{path} is of another network or optimiser than this configuration; set "
            "TRAIN.AUTO_RESUME False or choose another OUTPUT_DIR"
        ) from None
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)
    _lay_as_parameters(optimizer)


def _lay_as_parameters(optimizer: Optimizer) -> None:
    """What is remembered of a parameter gets its order in memory (MODEL.CHANNELS_LAST may be another now).

    torch's fused optimisers on the CPU walk through the memory of both at once, whatever their strides.
    """
    for parameter, remembered in optimizer.state.items():
        for name, value in remembered.items():
            if (
                isinstance(value, Tensor)
                and value.shape == parameter.shape
                and value.stride() != parameter.stride()
            ):
                laid = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False)
                remembered[name] = laid.copy_(value)


def _restore_average(state: dict[str, Any], path: Path, average: AveragedModel) -> None:
    if "ema_state" not in state:
        logger.warning("%s holds no moving average of the weights; it starts here", path)
        average.module.load_state_dict(state["model_state"])
        return
    average.module.load_state_dict(state["ema_state"])
    average.n_averaged.fill_(state["ema_steps"])
