"""A whole run: train, then test."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from glore_video.config import Config, to_yaml
from glore_video.data.video.video_list import VideoList
from glore_video.engine.launch.processes import Process
from glore_video.engine.output_dir import waited_for
from glore_video.engine.protocols import Outcome
from glore_video.engine.run_log import MetricsLog
from glore_video.files.whole_files import replace_file
from glore_video.runs.network import build_model, load_initial_weights
from glore_video.runs.testing import run_test
from glore_video.runs.training import build_trainer, samples_per_step
from glore_video.tasks.video_classification.task_data import RunData, build_evaluation, load_data

logger = logging.getLogger(__name__)


def train_and_test(config: Config, process: Process) -> Outcome | None:
    """Train and test as TRAIN.ENABLE and TEST.ENABLE say.

    Returns:
        The test's summary on the main process; None on others, or if nothing is tested.
    """
    output_dir = Path(config.OUTPUT_DIR)
    process.doing("reading the lists of videos")
    data = load_data(config)
    _warn_of_lists(data, process)
    with MetricsLog(
        output_dir, tensorboard=config.TENSORBOARD.ENABLE, enabled=process.is_main
    ) as metrics:
        if config.TRAIN.ENABLE:
            _train(config, data, process, metrics)
        if data.test is None:
            return None
        evaluation = build_evaluation(config, data.test, data.class_names)
        if not process.is_main:
            return run_test(config, evaluation, process, metrics)
        with waited_for(output_dir / "test", process.doing):
            _write_config(config, output_dir / "test")
            return run_test(config, evaluation, process, metrics)


def _train(config: Config, data: RunData, process: Process, metrics: MetricsLog) -> None:
    if process.is_main:
        _write_config(config, Path(config.OUTPUT_DIR))
    process.doing("building the network")
    torch.manual_seed(config.RNG_SEED)
    model = build_model(config)
    load_initial_weights(config, model)
    trainer = build_trainer(config, data, model, process, metrics)
    logger.info(
        "training %s on %d videos, %d steps of %d clips an epoch, %s",
        *(
            config.MODEL.NAME or config.MODEL.ARCH,
            len(data.train or ()),
            trainer.train_data.order.steps_per_epoch,
        ),
        *(samples_per_step(config), _processes(process)),
    )
    trainer.train(auto_resume=config.TRAIN.AUTO_RESUME)


def _write_config(config: Config, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "config.yaml", to_yaml(config).encode())


def _warn_of_lists(data: RunData, process: Process) -> None:
    for videos in (data.train, data.val):
        if videos is not None and videos.left_out:
            logger.warning("%s: %d videos are left out", videos.source, len(videos.left_out))
    for videos in (data.train, data.val, data.test) if process.is_main else ():
        if videos is not None:
            for note in videos.notes:
                logger.warning("%s", note)
            _warn_of_repeated(videos)


def _warn_of_repeated(videos: VideoList) -> None:
    seen: set[int] = set()  # hashes: a fraction of the memory of paths
    repeated = []
    for place in range(len(videos)):
        path = hash(videos.path(place))
        if path in seen:
            repeated.append(place)
        seen.add(path)
    if repeated:
        logger.warning(
            "%s lists %d videos again, %s among them: each line counts, in training and in accuracies",
            *(videos.source, len(repeated), videos.path(repeated[0])),
        )


def _processes(process: Process) -> str:
    one, several = (
        ("GPU", "GPUs") if process.device.type == "cuda" else ("CPU process", "CPU processes")
    )
    return f"{process.world_size} {one if process.world_size == 1 else several}"
