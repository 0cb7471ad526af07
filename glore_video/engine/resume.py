"""What a checkpoint of a training run holds, and going on from one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from glore_video.data.samplers import TrainingBatches
from glore_video.engine.launch.processes import Process
from glore_video.engine.rng import get_rng_state
from glore_video.engine.train_step import Update
from glore_video.errors import UsageError

logger = logging.getLogger(__name__)

# What the order of an epoch's videos follows from, in words of the configuration.
_ORDER = {
    "seed": "RNG_SEED",
    "batch_size": "TRAIN.BATCH_SIZE",
    "num_videos": "the number of training videos",
}


@dataclass(frozen=True)
class Start:
    """A point in a run: whole epochs, steps of the next one, and what belongs to those steps.

    Attributes:
        total: sums of the epoch's steps so far, of this process.
        rng_state: of this process at that point; None if it is not known.
        best_top1: of the validations so far.
        cpu_threads: that computed on the CPU; 0 if it is not known.
        end_due: the end of the last epoch is still to come: batch norm statistics, validation.
    """

    epoch: int = 0
    step: int = 0
    total: Tensor | float = 0.0
    rng_state: dict[str, Tensor] | None = None
    best_top1: float = -1.0
    cpu_threads: int = 0
    end_due: bool = False


def collect_state(
    update: Update, batches: TrainingBatches, process: Process, at: Start
) -> dict[str, Any]:
    """Everything that a run at this point depends on; every process must call it.

    Tensors and plain containers only: it loads with weights_only=True.
    """
    total = at.total.tolist() if isinstance(at.total, Tensor) else None
    threads = torch.get_num_threads() if process.device.type == "cpu" else 0
    state = {
        "model_state": update.model.state_dict(),
        "optimizer_state": update.optimizer.state_dict(),
        "scaler_state": update.scaler.state_dict(),
        "epoch": at.epoch,
        "step": at.step,
        "best_top1": at.best_top1,
        "end_due": at.end_due,
        "sampler_state": {name: getattr(batches, name) for name in _ORDER},
        "rng_states": process.gather(get_rng_state()),
        "epoch_totals": process.gather(total),
        "cpu_threads": process.gather(threads),
    }
    if update.average is not None:
        state["ema_state"] = update.average.module.state_dict()
        state["ema_steps"] = int(update.average.n_averaged)
    return state


def restore_state(
    state: dict[str, Any], path: Path, update: Update, batches: TrainingBatches, process: Process
) -> Start:
    """Put the state into the network, the optimiser and the rest.

    Returns where the run goes on: with as many processes as before, exactly where it was.

    Raises:
        ValueError: for the state of another network, optimiser, seed or batch size.
    """
    restore_network(state, path, update.model, update.optimizer, update.scaler)
    if update.average is not None:
        _restore_average(state, path, update.average)
    best = state["best_top1"]
    threads = state.get("cpu_threads", [])
    own = threads[process.rank] if len(threads) == process.world_size else 0
    if not state["step"]:
        return Start(
            state["epoch"],
            best_top1=best,
            cpu_threads=own,
            end_due=state.get("end_due", False),
        )
    for name, before in state["sampler_state"].items():
        if before != (now := getattr(batches, name)):
            raise UsageError(
                f"{path} was made within an epoch, whose order of videos depends on {_ORDER[name]}: "
                f"it was {before}, not {now}"
            )
    totals = torch.tensor(state["epoch_totals"], dtype=torch.float64, device=process.device)
    if len(totals) == process.world_size:
        rng_state = state["rng_states"][process.rank]
        return Start(state["epoch"], state["step"], totals[process.rank], rng_state, best, own)
    logger.warning(
        "%s was made by %d processes, these are %d: the run goes on at the same video, but random "
        "draws on the device and the order of sums differ",
        *(path, len(totals), process.world_size),
    )
    share = totals.sum(dim=0) / process.world_size
    return Start(state["epoch"], state["step"], share, best_top1=best)


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


def _restore_average(state: dict[str, Any], path: Path, average: AveragedModel) -> None:
    if "ema_state" not in state:
        logger.warning("%s holds no moving average of the weights; it starts here", path)
        average.module.load_state_dict(state["model_state"])
        return
    average.module.load_state_dict(state["ema_state"])
    average.n_averaged.fill_(state["ema_steps"])
