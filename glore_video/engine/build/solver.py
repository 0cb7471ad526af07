"""The optimiser and the learning rate."""

from __future__ import annotations

import torch
from torch import nn

from glore_video.config import Config
from glore_video.engine.optimizer import parameter_groups
from glore_video.engine.schedule import Schedule


def build_optimizer(config: Config, model: nn.Module) -> torch.optim.Optimizer:
    groups = parameter_groups(
        model,
        weight_decay=config.SOLVER.WEIGHT_DECAY,
        bn_weight_decay=config.BN.WEIGHT_DECAY,
        zero_decay_vectors=config.SOLVER.ZERO_WD_1D_PARAM,
    )
    return torch.optim.SGD(
        groups,
        lr=config.SOLVER.BASE_LR,
        momentum=config.SOLVER.MOMENTUM,
        dampening=config.SOLVER.DAMPENING,
        nesterov=config.SOLVER.NESTEROV,
    )


def build_schedule(config: Config) -> Schedule:
    return Schedule(
        policy=config.SOLVER.LR_POLICY,
        base_lr=config.SOLVER.BASE_LR,
        max_epoch=config.SOLVER.MAX_EPOCH,
        warmup_epochs=config.SOLVER.WARMUP_EPOCHS,
        warmup_start_lr=config.SOLVER.WARMUP_START_LR,
        cosine_end_lr=config.SOLVER.COSINE_END_LR,
        cosine_after_warmup=config.SOLVER.COSINE_AFTER_WARMUP,
        steps=config.SOLVER.STEPS,
        relative_lrs=config.SOLVER.LRS,
    )
