"""The trainer."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from glore_video.config import Config
from glore_video.engine.build.data import RunData, build_train_loader, build_val_loader
from glore_video.engine.build.model import build_precision, build_preprocessing
from glore_video.engine.build.solver import build_optimizer, build_schedule
from glore_video.engine.distributed import Process
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.trainer import Trainer


def build_trainer(
    config: Config, data: RunData, model: nn.Module, process: Process, metrics: MetricsLog
) -> Trainer:
    if data.train is None or data.val is None:
        raise AssertionError("training needs its lists")
    train_loader, batches = build_train_loader(config, data.train, process)
    parallel = process.parallel(model)
    return Trainer(
        model=model,
        parallel=parallel,
        optimizer=build_optimizer(config, model),
        schedule=build_schedule(config),
        train_loader=train_loader,
        batches=batches,
        val_loader=build_val_loader(config, data.val, process),
        num_val=len(data.val),
        preprocessing=build_preprocessing(config),
        precision=build_precision(config, process.device),
        process=process,
        metrics=metrics,
        output_dir=Path(config.OUTPUT_DIR),
        max_epoch=config.SOLVER.MAX_EPOCH,
        eval_period=config.TRAIN.EVAL_PERIOD,
        checkpoint_period=config.TRAIN.CHECKPOINT_PERIOD,
        checkpoint_steps=config.TRAIN.CHECKPOINT_STEPS,
        keep_checkpoints=config.TRAIN.KEEP_CHECKPOINTS,
        log_period=config.LOG_PERIOD,
        clip_grad_norm=config.SOLVER.CLIP_GRAD_L2NORM,
        max_bad_fraction=config.DATA.MAX_BAD_FRACTION,
        precise_bn_batches=config.BN.NUM_BATCHES_PRECISE if config.BN.USE_PRECISE_STATS else 0,
        seed=config.RNG_SEED,
        checkpoint_extras={
            "config": config.model_dump(mode="json"),
            "class_names": list(data.class_names),
        },
    )
