"""The trainer of a run."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import nn

from glore_video.config import Config
from glore_video.engine.activation_checkpoints import checkpoint_activations
from glore_video.engine.batch_norms import (
    convert_batch_norms,
    few_inputs_warning,
    freeze_affine,
)
from glore_video.engine.cadence import Cadence
from glore_video.engine.cpu_bf16 import check_temporal_kernels
from glore_video.engine.launch.processes import Process
from glore_video.engine.moving_average import MovingAverage
from glore_video.engine.precise_batch_norms import BatchNormPolicy
from glore_video.engine.protocols import Task
from glore_video.engine.run_checkpoints import RunCheckpoints
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.train_step import TrainStep
from glore_video.engine.trainer import Trainer
from glore_video.engine.unreadable import UnreadableSamples
from glore_video.errors import UsageError, naming
from glore_video.models import stage_blocks
from glore_video.runs.network import build_compiling, build_precision
from glore_video.runs.solver import build_schedule, build_solver
from glore_video.tasks import task_of

logger = logging.getLogger(__name__)


def check_batch(config: Config, *, world_size: int) -> None:
    """Raises UsageError if a step's inputs can't be divided as the config wants."""
    inputs = task_of(config).words.inputs
    own = samples_per_step(config) // world_size
    parts = config.TRAIN.ACCUMULATION_STEPS
    if own % parts:
        raise UsageError(
            f"TRAIN.ACCUMULATION_STEPS = {parts} does not divide the {own} {inputs} a step of each "
            f"process (TRAIN.BATCH_SIZE = {config.TRAIN.BATCH_SIZE}, AUG.NUM_SAMPLE = "
            f"{config.AUG.NUM_SAMPLE})"
        )
    splits = config.BN.NUM_SPLITS
    if config.BN.NORM_TYPE == "sub_batchnorm" and own // parts % splits:
        raise UsageError(
            f"BN.NUM_SPLITS = {splits} does not divide the {own // parts} {inputs} that a process "
            "computes at a time"
        )
    if config.BN.NORM_TYPE == "sync_batchnorm" and not config.NUM_GPUS:
        raise UsageError("BN.NORM_TYPE = sync_batchnorm needs GPUs, but NUM_GPUS = 0")


def samples_per_step(config: Config) -> int:
    """Over all processes."""
    return config.TRAIN.BATCH_SIZE * config.AUG.NUM_SAMPLE


def build_trainer(
    config: Config, task: Task, model: nn.Module, process: Process, metrics: MetricsLog
) -> Trainer:
    train_data = task.train_data(process)
    train_step = build_train_step(config, task, model, process)
    output_dir = Path(config.OUTPUT_DIR)
    return Trainer(
        train_step=train_step,
        schedule=build_schedule(config, steps_per_epoch=train_data.order.steps_per_epoch),
        train_data=train_data,
        val_data=task.val_data(process),
        val_meter=task.val_meter,
        words=task.words,
        process=process,
        metrics=metrics,
        checkpoints=RunCheckpoints(
            output_dir=output_dir,
            train_step=train_step,
            order=train_data.order,
            process=process,
            words=task.words,
            keep=config.TRAIN.KEEP_CHECKPOINTS,
            extras={
                "config": config.model_dump(mode="json"),
                "class_names": list(task.class_names),
            },
        ),
        cadence=Cadence(
            max_epoch=config.SOLVER.MAX_EPOCH,
            eval_period=config.TRAIN.EVAL_PERIOD,
            checkpoint_period=config.TRAIN.CHECKPOINT_PERIOD,
            checkpoint_steps=config.TRAIN.CHECKPOINT_STEPS,
            log_period=config.LOG_PERIOD,
        ),
        norms=BatchNormPolicy(
            freeze=config.MODEL.FROZEN_BN,
            precise_batches=config.BN.NUM_BATCHES_PRECISE if config.BN.USE_PRECISE_STATS else 0,
        ),
        unreadable=UnreadableSamples(config.DATA.MAX_BAD_FRACTION, task.words),
        seed=config.RNG_SEED,
        compiling=build_compiling(config),
    )


def build_train_step(config: Config, task: Task, model: nn.Module, process: Process) -> TrainStep:
    """What a step does to the model, which is changed to the config's kind of batch norm."""
    check_batch(config, world_size=process.world_size)
    precision = build_precision(config, process.device)
    if process.device.type == "cpu" and precision.amp_dtype == torch.bfloat16:
        check_temporal_kernels(model, task.input_shape)
    _warn_of_small_groups(config, task, process)
    make_trainable(config, model)
    parallel = process.parallel(model)
    average = None
    if config.TRAIN.EMA_DECAY:
        average = MovingAverage(model, config.TRAIN.EMA_DECAY)
    compiling = build_compiling(config)
    inputs = samples_per_step(config) // process.world_size
    return TrainStep(
        model=model,
        parallel=parallel,
        compiled=compiling.for_training(
            parallel, batch_size=inputs // config.TRAIN.ACCUMULATION_STEPS
        ),
        records_graphs=compiling.records_graphs,
        optimizer=build_solver(config, model),
        normalize=task.normalize,
        precision=precision,
        process=process,
        objective=task.objective,
        meter=task.train_meter,
        accumulation=config.TRAIN.ACCUMULATION_STEPS,
        clip_norm=config.SOLVER.CLIP_GRAD_L2NORM,
        clip_value=config.SOLVER.CLIP_GRAD_VAL,
        average=average,
    )


def make_trainable(config: Config, model: nn.Module) -> None:
    """Change the model, in place, to what is trained: its batch norms, what is frozen and what kept."""
    convert_batch_norms(model, config.BN.NORM_TYPE, num_splits=config.BN.NUM_SPLITS)
    if config.BN.FREEZE_AFFINE:
        freeze_affine(model)
    if config.MODEL.ACT_CHECKPOINT:
        with naming("MODEL.ACT_CHECKPOINT = True"):
            paths = [path for stage in stage_blocks(model) for blocks in stage for path in blocks]
        checkpoint_activations(model, paths)


def _warn_of_small_groups(config: Config, task: Task, process: Process) -> None:
    if config.MODEL.FROZEN_BN:
        return
    line = few_inputs_warning(
        inputs=samples_per_step(config),
        world_size=process.world_size,
        accumulation=config.TRAIN.ACCUMULATION_STEPS,
        kind=config.BN.NORM_TYPE,
        num_splits=config.BN.NUM_SPLITS,
        words=task.words,
    )
    if line and process.is_main:
        logger.warning("%s", line)
