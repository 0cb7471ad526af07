"""Config -> networks, data sets, loaders, trainer: beside cli.py the only code that sees a Config."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from glore_video.config import Config
from glore_video.datasets.annotations import load_class_names, load_split
from glore_video.datasets.loader import (
    ShardSampler,
    TrainingBatches,
    clip_loader,
    shard,
    views_loader,
)
from glore_video.datasets.synthetic import render_relations
from glore_video.datasets.video_dataset import CentreClips, TestViews, TrainingClips
from glore_video.datasets.video_list import VideoList
from glore_video.datasets.watchdog import Watchdog
from glore_video.engine.checkpoint import checkpoint_path, last_checkpoint, resolve_checkpoint
from glore_video.engine.distributed import Process
from glore_video.engine.on_device import Precision, Preprocessing
from glore_video.engine.optimizer import parameter_groups
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.schedule import Schedule
from glore_video.engine.trainer import Trainer
from glore_video.models import (
    SlowFastOptions,
    build_network,
    insert_glore,
    insert_nonlocal,
    load_weights,
    locate,
)
from glore_video.video import ClipSampling

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunData:
    """Lists and names of a run; a split that the run does not use is None."""

    train: VideoList | None
    val: VideoList | None
    test: VideoList | None
    class_names: tuple[str, ...]


def build_model(config: Config) -> nn.Module:
    """The network with its units, initialised anew from torch's current seed."""
    model = build_network(
        config.MODEL.ARCH,
        depth=config.RESNET.DEPTH,
        num_classes=config.MODEL.NUM_CLASSES,
        dropout_rate=config.MODEL.DROPOUT_RATE,
        zero_init_final_bn=config.RESNET.ZERO_INIT_FINAL_BN,
        slowfast=SlowFastOptions(
            alpha=config.SLOWFAST.ALPHA,
            beta_inv=config.SLOWFAST.BETA_INV,
            fusion_conv_channel_ratio=config.SLOWFAST.FUSION_CONV_CHANNEL_RATIO,
            fusion_kernel_size=config.SLOWFAST.FUSION_KERNEL_SZ,
        ),
        num_block_temp_kernel=config.RESNET.NUM_BLOCK_TEMP_KERNEL or None,
    )
    if config.GLORE.LOCATION:
        insert_glore(
            model,
            after=locate(model, config.GLORE.LOCATION),
            nodes=config.GLORE.NODES or None,
            states=config.GLORE.STATES or None,
            normalize=config.GLORE.NORMALIZE,
        )
    if config.NONLOCAL.LOCATION:
        insert_nonlocal(
            model,
            after=locate(model, config.NONLOCAL.LOCATION),
            instantiation=config.NONLOCAL.INSTANTIATION,
            pool=config.NONLOCAL.pool,
        )
    return model.to(memory_format=_memory_format(config))


def clip_sampling(config: Config) -> ClipSampling:
    return ClipSampling(
        num_frames=config.DATA.NUM_FRAMES,
        stride=config.DATA.SAMPLING_RATE,
        spacing=config.DATA.CLIP_SPACING,
        target_fps=config.DATA.TARGET_FPS or None,
        short_video=config.DATA.SHORT_VIDEO,
    )


def render_synthetic(config: Config) -> None:
    """Render the synthetic data set if the config names one; it is reused where it is there."""
    if config.SYNTHETIC.LABELS:
        if not Path(config.DATA.PATH_TO_DATA_DIR).exists():
            logger.info(
                "rendering %d videos into %s",
                config.SYNTHETIC.NUM_TRAIN + config.SYNTHETIC.NUM_VAL,
                config.DATA.PATH_TO_DATA_DIR,
            )
        render_relations(
            config.DATA.PATH_TO_DATA_DIR,
            labels=config.SYNTHETIC.LABELS,
            num_train=config.SYNTHETIC.NUM_TRAIN,
            num_val=config.SYNTHETIC.NUM_VAL,
            num_frames=config.SYNTHETIC.NUM_FRAMES,
            size=config.SYNTHETIC.SIZE,
            seed=config.SYNTHETIC.SEED,
        )


def load_list(config: Config, split: str) -> VideoList:
    """Read and check one split's list. Raises what the user has to mend."""
    folder = config.DATA.PATH_TO_DATA_DIR
    if not folder:
        raise ValueError(
            "DATA.PATH_TO_DATA_DIR is empty: give the folder with train.csv, val.csv and test.csv, "
            f"whose lines are `path label`, labels 0 to {config.MODEL.NUM_CLASSES - 1}"
        )
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"DATA.PATH_TO_DATA_DIR = {folder}: no such folder")
    return load_split(
        folder,
        split,
        num_classes=config.MODEL.NUM_CLASSES,
        prefix=config.DATA.PATH_PREFIX,
        separator=config.DATA.PATH_LABEL_SEPARATOR,
        use_damaged=config.DATA.DAMAGED_VIDEO == "use_prefix",
    )


def load_data(config: Config) -> RunData:
    """The lists that the run needs, and the names of the classes."""
    return RunData(
        train=load_list(config, "train") if config.TRAIN.ENABLE else None,
        val=load_list(config, "val") if config.TRAIN.ENABLE else None,
        test=load_list(config, "test") if config.TEST.ENABLE else None,
        class_names=load_class_names(
            config.DATA.PATH_TO_DATA_DIR,
            num_classes=config.MODEL.NUM_CLASSES,
            file=config.DATA.CLASS_NAMES_PATH,
        ),
    )


def build_preprocessing(config: Config) -> Preprocessing:
    return Preprocessing(
        mean=config.DATA.MEAN, std=config.DATA.STD, memory_format=_memory_format(config)
    )


def _memory_format(config: Config) -> torch.memory_format:
    return torch.channels_last_3d if config.MODEL.CHANNELS_LAST else torch.contiguous_format


def build_watchdog(config: Config) -> Watchdog | None:
    """Only in worker processes: the trainer's own, with a GPU in it, is not one to fork from."""
    seconds = config.DATA_LOADER.VIDEO_TIMEOUT
    return Watchdog(seconds) if seconds and num_workers(config) else None


def build_precision(config: Config, device: torch.device) -> Precision:
    names = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return Precision(
        device=device,
        amp_dtype=names[config.TRAIN.AMP_DTYPE] if config.TRAIN.MIXED_PRECISION else None,
    )


def build_trainer(
    config: Config, data: RunData, model: nn.Module, process: Process, metrics: MetricsLog
) -> Trainer:
    if data.train is None or data.val is None:
        raise AssertionError("training needs its lists")
    batches = training_batches(config, data.train, process)
    sampling = clip_sampling(config)
    train_clips = TrainingClips(
        videos=data.train,
        sampling=sampling,
        short_sides=config.DATA.TRAIN_JITTER_SCALES,
        inverse_uniform=config.DATA.INV_UNIFORM_SAMPLE,
        crop_size=config.DATA.TRAIN_CROP_SIZE,
        flip=config.DATA.RANDOM_FLIP,
        backend=config.DATA.DECODING_BACKEND,
        damaged=config.DATA.DAMAGED_VIDEO,
        seed=config.RNG_SEED,
        watchdog=build_watchdog(config),
    )
    val_clips = CentreClips(
        videos=data.val,
        sampling=sampling,
        short_side=config.DATA.TRAIN_JITTER_SCALES[0],
        crop_size=config.DATA.TRAIN_CROP_SIZE,
        backend=config.DATA.DECODING_BACKEND,
        damaged=config.DATA.DAMAGED_VIDEO,
        watchdog=build_watchdog(config),
    )
    workers: dict[str, Any] = {
        "num_workers": num_workers(config),
        "pin_memory": config.DATA_LOADER.PIN_MEMORY,
        "stop_on_timeout": config.DATA_LOADER.VIDEO_TIMEOUT_ACTION == "stop",
    }
    parallel = process.parallel(model)
    groups = parameter_groups(
        model,
        weight_decay=config.SOLVER.WEIGHT_DECAY,
        bn_weight_decay=config.BN.WEIGHT_DECAY,
        zero_decay_vectors=config.SOLVER.ZERO_WD_1D_PARAM,
    )
    return Trainer(
        model=model,
        parallel=parallel,
        optimizer=torch.optim.SGD(
            groups,
            lr=config.SOLVER.BASE_LR,
            momentum=config.SOLVER.MOMENTUM,
            dampening=config.SOLVER.DAMPENING,
            nesterov=config.SOLVER.NESTEROV,
        ),
        schedule=Schedule(
            policy=config.SOLVER.LR_POLICY,
            base_lr=config.SOLVER.BASE_LR,
            max_epoch=config.SOLVER.MAX_EPOCH,
            warmup_epochs=config.SOLVER.WARMUP_EPOCHS,
            warmup_start_lr=config.SOLVER.WARMUP_START_LR,
            cosine_end_lr=config.SOLVER.COSINE_END_LR,
            cosine_after_warmup=config.SOLVER.COSINE_AFTER_WARMUP,
            steps=config.SOLVER.STEPS,
            relative_lrs=config.SOLVER.LRS,
        ),
        train_loader=clip_loader(train_clips, batches=batches, **workers),
        batches=batches,
        val_loader=clip_loader(
            val_clips,
            sampler=ShardSampler(
                shard(len(data.val), rank=process.rank, world_size=process.world_size)
            ),
            batch_size=max(1, config.TRAIN.BATCH_SIZE // process.world_size),
            **workers,
        ),
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


def training_batches(config: Config, videos: VideoList, process: Process) -> TrainingBatches:
    return TrainingBatches(
        len(videos),
        batch_size=config.TRAIN.BATCH_SIZE,
        seed=config.RNG_SEED,
        rank=process.rank,
        world_size=process.world_size,
    )


def num_workers(config: Config) -> int:
    """DATA_LOADER.NUM_WORKERS, but no more than the cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(config.DATA_LOADER.NUM_WORKERS, cores or 1)


def load_initial_weights(config: Config, model: nn.Module) -> None:
    """Start from TRAIN.CHECKPOINT_FILE_PATH if there is one."""
    if config.TRAIN.CHECKPOINT_FILE_PATH:
        path = resolve_checkpoint(
            config.TRAIN.CHECKPOINT_FILE_PATH, key="TRAIN.CHECKPOINT_FILE_PATH"
        )
        report = load_weights(model, path, allow=config.TRAIN.CHECKPOINT_ALLOW)
        logger.info("starting from %s: %s", path, report)


def test_checkpoint(config: Config) -> Path | str:
    """The weights to test: TEST.CHECKPOINT_FILE_PATH, this run's last, or those it starts from."""
    if config.TEST.CHECKPOINT_FILE_PATH:
        return resolve_checkpoint(config.TEST.CHECKPOINT_FILE_PATH, key="TEST.CHECKPOINT_FILE_PATH")
    last = last_checkpoint(config.OUTPUT_DIR)
    if last is not None:
        return last
    if config.TRAIN.CHECKPOINT_FILE_PATH:
        return resolve_checkpoint(
            config.TRAIN.CHECKPOINT_FILE_PATH, key="TRAIN.CHECKPOINT_FILE_PATH"
        )
    raise FileNotFoundError(
        f"nothing to test: no {checkpoint_path(config.OUTPUT_DIR, 1).parent}/checkpoint_epoch_*.pyth "
        "(OUTPUT_DIR) and TEST.CHECKPOINT_FILE_PATH is empty"
    )


def build_test_loader(
    config: Config, videos: VideoList, process: Process
) -> tuple[DataLoader[Any], int]:
    """The loader of this process' share of the test videos, and the number of views of each."""
    data = config.DATA
    num_crops = config.TEST.NUM_SPATIAL_CROPS
    default_side = data.TEST_CROP_SIZE if num_crops == 3 else data.TRAIN_JITTER_SCALES[0]
    views = TestViews(
        videos=videos,
        sampling=clip_sampling(config),
        num_clips=config.TEST.NUM_ENSEMBLE_VIEWS,
        num_crops=num_crops,
        short_side=data.TEST_SHORT_SIDE or max(default_side, data.TEST_CROP_SIZE),
        crop_size=data.TEST_CROP_SIZE,
        spacing=config.TEST.VIEW_SPACING,
        backend=data.DECODING_BACKEND,
        damaged=data.DAMAGED_VIDEO,
        watchdog=build_watchdog(config),
        indices=shard(len(videos), rank=process.rank, world_size=process.world_size),
    )
    loader = views_loader(
        views,
        num_workers=num_workers(config),
        stop_on_timeout=config.DATA_LOADER.VIDEO_TIMEOUT_ACTION == "stop",
    )
    return loader, config.TEST.NUM_ENSEMBLE_VIEWS * num_crops
