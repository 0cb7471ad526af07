"""The optimiser and the learning rate."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import nn

from glore_video.config import Config
from glore_video.engine.optimizer import (
    GroupRules,
    build_optimizer,
    group_table,
    parameter_groups,
)
from glore_video.engine.schedule import Schedule
from glore_video.errors import naming
from glore_video.models.networks.heads import head_parts

logger = logging.getLogger(__name__)


def build_groups(config: Config, model: nn.Module) -> list[dict[str, Any]]:
    """Groups of parameters that share a weight decay and a learning rate factor."""
    rules = GroupRules(
        weight_decay=config.SOLVER.WEIGHT_DECAY,
        bn_weight_decay=config.BN.WEIGHT_DECAY,
        zero_decay_vectors=config.SOLVER.ZERO_WD_1D_PARAM,
        zero_decay_biases=config.SOLVER.ZERO_WD_BIAS,
        lr_factor_3x3=config.SOLVER.LR_FACTOR_3X3,
        lr_factor_heads=config.SOLVER.LR_FACTOR_HEAD,
        heads=head_parts(model) if config.SOLVER.LR_FACTOR_HEAD != 1 else (),
    )
    return parameter_groups(model, rules)


def build_solver(config: Config, model: nn.Module, *, log: bool = True) -> torch.optim.Optimizer:
    groups = build_groups(config, model)
    solver = config.SOLVER
    if log:
        for line in (f"optimiser: {solver.OPTIMIZING_METHOD}", *group_table(groups).splitlines()):
            logger.info("%s", line)
    with naming(f"SOLVER.OPTIMIZING_METHOD = {solver.OPTIMIZING_METHOD}"):
        return build_optimizer(
            solver.OPTIMIZING_METHOD,
            groups,
            lr=solver.BASE_LR,
            momentum=solver.MOMENTUM,
            dampening=solver.DAMPENING,
            nesterov=solver.NESTEROV,
            betas=solver.BETAS,
        )


def lr_scale(config: Config) -> float:
    """What learning rates are multiplied by, for another batch size than they are meant for."""
    meant_for = config.SOLVER.BASE_LR_BATCH
    return config.TRAIN.BATCH_SIZE / meant_for if meant_for else 1.0


def build_schedule(config: Config, *, steps_per_epoch: int) -> Schedule:
    solver, scale = config.SOLVER, lr_scale(config)
    if scale != 1.0:
        logger.info(
            "learning rates are multiplied by %g: TRAIN.BATCH_SIZE %d over SOLVER.BASE_LR_BATCH %d",
            *(scale, config.TRAIN.BATCH_SIZE, solver.BASE_LR_BATCH),
        )
    warmup = solver.WARMUP_STEPS / steps_per_epoch if solver.WARMUP_STEPS else solver.WARMUP_EPOCHS
    unit = 1
    if solver.STEP_UNIT == "clips":
        unit = steps_per_epoch * config.TRAIN.BATCH_SIZE
    schedule = Schedule(
        policy=solver.LR_POLICY,
        base_lr=scale * solver.BASE_LR,
        max_epoch=solver.MAX_EPOCH,
        warmup_epochs=warmup,
        warmup_start_lr=scale * solver.WARMUP_START_LR,
        cosine_end_lr=scale * solver.COSINE_END_LR,
        poly_power=solver.POLY_POWER,
        cosine_after_warmup=solver.COSINE_AFTER_WARMUP,
        steps=tuple(step / unit for step in solver.STEPS),
        relative_lrs=solver.LRS,
    )
    _warn_of_warmup(schedule, "WARMUP_STEPS" if solver.WARMUP_STEPS else "WARMUP_EPOCHS", config)
    return schedule


def _warn_of_warmup(schedule: Schedule, key: str, config: Config) -> None:
    """Of one that the run does not reach the end of, or that lowers the learning rate."""
    first, length = schedule.at(0), schedule.warmup_epochs
    given = f"SOLVER.{key} = {getattr(config.SOLVER, key):g}"
    if length >= schedule.max_epoch:
        logger.warning(
            "%s is no shorter than the run, SOLVER.MAX_EPOCH = %d: the learning rate goes straight "
            "from %.3g to %.3g and does not follow SOLVER.LR_POLICY; shorten the warm-up",
            # At the end itself a warm-up of the run's length has given way to the policy.
            *(given, schedule.max_epoch, first, schedule.at(schedule.max_epoch - 1e-9)),
        )
    elif length and schedule.at(length) < first:
        logger.warning(
            "%s: the warm-up lowers the learning rate, from SOLVER.WARMUP_START_LR to what "
            "SOLVER.LR_POLICY gives at its end (%.3g to %.3g); shorten it, or lower "
            "SOLVER.WARMUP_START_LR",
            *(given, first, schedule.at(length)),
        )
