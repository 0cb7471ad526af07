"""A whole run: train, then test."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from glore_video.config import Config, to_yaml
from glore_video.engine.launch.processes import Process
from glore_video.engine.output_dir import waited_for
from glore_video.engine.precision import set_fp32_precision
from glore_video.engine.protocols import Outcome, Task
from glore_video.engine.run_log import MetricsLog
from glore_video.files.whole_files import replace_file
from glore_video.runs.memory_errors import memory_of_test_in_keys, memory_of_training_in_keys
from glore_video.runs.network import build_model, load_initial_weights
from glore_video.runs.testing import run_test
from glore_video.runs.training import build_trainer, samples_per_step
from glore_video.tasks import task_of

logger = logging.getLogger(__name__)


def train_and_test(config: Config, process: Process) -> Outcome | None:
    """Train and test as TRAIN.ENABLE and TEST.ENABLE say.

    Returns:
        The test's summary on the main process; None on others, or if nothing is tested.
    """
    set_fp32_precision(config.TRAIN.FP32_PRECISION)
    output_dir = Path(config.OUTPUT_DIR)
    task = task_of(config)
    process.doing(f"reading the lists of {task.words.samples}")
    task.warn_of_lists(is_main=process.is_main)
    with MetricsLog(
        output_dir, tensorboard=config.TENSORBOARD.ENABLE, enabled=process.is_main
    ) as metrics:
        if config.TRAIN.ENABLE:
            with memory_of_training_in_keys(config, process):
                _train(config, task, process, metrics)
        if not config.TEST.ENABLE:
            return None
        with memory_of_test_in_keys(config, process):
            if not process.is_main:
                return run_test(config, task, process, metrics)
            with waited_for(output_dir / "test", process.doing):
                _write_config(config, output_dir / "test")
                return run_test(config, task, process, metrics)


def _train(config: Config, task: Task, process: Process, metrics: MetricsLog) -> None:
    if process.is_main:
        _write_config(config, Path(config.OUTPUT_DIR))
    process.doing("building the network")
    torch.manual_seed(config.RNG_SEED)
    model = build_model(config)
    load_initial_weights(config, model)
    trainer = build_trainer(config, task, model, process, metrics)
    logger.info(
        "training %s on %d %s, %d steps of %d %s an epoch, %s",
        *(config.MODEL.NAME or config.MODEL.ARCH, len(trainer.train_data.samples)),
        *(task.words.samples, trainer.train_data.order.steps_per_epoch),
        *(samples_per_step(config), task.words.inputs, _processes(process)),
    )
    trainer.train(auto_resume=config.TRAIN.AUTO_RESUME)


def _write_config(config: Config, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "config.yaml", to_yaml(config).encode())


def _processes(process: Process) -> str:
    one, several = (
        ("GPU", "GPUs") if process.device.type == "cuda" else ("CPU process", "CPU processes")
    )
    return f"{process.world_size} {one if process.world_size == 1 else several}"
