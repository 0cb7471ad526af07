"""What is checked before a run starts: all that is wrong with it is said at once, with what mends it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from glore_video.config import Config, with_values
from glore_video.engine.launch.processes import Process, check_gpus
from glore_video.engine.protocols import SampleList
from glore_video.errors import UsageError
from glore_video.runs.network import (
    build_model,
    check_tested_classes,
    checkpoint_to_test,
    load_initial_weights,
)
from glore_video.runs.resuming import Resumed, check_resumable
from glore_video.runs.settling import count_classes
from glore_video.runs.training import check_batch
from glore_video.tasks import task_of

T = TypeVar("T")
logger = logging.getLogger(__name__)


def prepare(
    config: Config,
    *,
    doing: Callable[[str], None] = lambda what: None,
    world_size: int | None = None,
) -> None:
    """Render what is to be rendered and check all that can be checked before processes start.

    Args:
        doing: is told what is done at each moment.
        world_size: processes that are there already; None: they are started here, by NUM_GPUS or
            CPU_PROCESSES.

    Raises:
        ValueError: one mistake as it is, or several in lines below each other; where it is known,
            the last line gives the keys and values that would do.
    """
    found = _Mistakes(config)
    if world_size is None:
        found.check(lambda c: check_gpus(c.NUM_GPUS), _fewer_gpus)
    task = task_of(config)
    if task.renders:
        found.report()  # before minutes of rendering
        doing(f"rendering {task.renders}, where they are not there yet")
    task.render()
    doing(f"reading the lists of {task.words.samples}")
    splits = ["train", "val"] * config.TRAIN.ENABLE
    splits += [config.TEST.SPLIT] * (config.TEST.ENABLE and config.TEST.SPLIT not in splits)
    if config.DATA.PATH_TO_DATA_DIR and not any(task.has_split(split) for split in splits):
        splits = splits[:1]  # it's the wrong folder: to say so once is enough
    lists = {
        split: found.check(partial(_load, split), partial(_split_mended, split)) for split in splits
    }
    names = found.check(lambda c: task_of(c).names(), _counted_classes)
    if (samples := lists.get("train")) is not None:
        found.check(
            lambda c: _check_batches(c, len(samples), world_size), partial(_batch, len(samples))
        )
    doing("building the network and reading its weights")
    resumed = found.check(_check_weights)
    found.report()
    if resumed is not None:
        resumed.check_data(config, names or (), lists.get("train"), task.words)
    if not config.TRAIN.ENABLE:
        check_tested_classes(config, names or ())
    if config.TEST.ENABLE and config.TEST.SPLIT == "val" and task.has_split("test"):
        logger.warning(
            "%s has a test split, which is not tested: TEST.SPLIT = val (TEST.SPLIT test takes it)",
            config.DATA.PATH_TO_DATA_DIR,
        )


class _Mistakes:
    """Errors of a configuration, each looked for as if the ones before it were mended."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.errors: list[UsageError] = []
        self.would_do: dict[str, Any] = {}

    def check(
        self,
        action: Callable[[Config], T],
        mending: Callable[[Config], Mapping[str, Any]] = lambda config: {},
    ) -> T | None:
        """What the action returns, with the configuration as it is or with other values.

        Args:
            mending: values of keys with which the action may succeed; empty if none are known.
        """
        try:
            return action(self.config)
        except UsageError as error:
            if str(error) not in map(str, self.errors):
                self.errors.append(error)
            values = mending(self.config)
        if not values:
            return None
        try:
            mended = with_values(self.config, values)
            result = action(mended)
        except UsageError:
            return None
        self.config = mended
        self.would_do.update(values)
        return result

    def report(self) -> None:
        """Raises ValueError if there is any."""
        if not self.errors:
            return
        pairs = " ".join(f"{name} {value}" for name, value in self.would_do.items())
        if len(self.errors) == 1:
            if not pairs:
                raise self.errors[0]
            raise UsageError(f"{self.errors[0]}; this would do: {pairs}")
        lines = [f"{len(self.errors)} things are wrong with this run:", *map(str, self.errors)]
        if pairs:
            lines.append(f"these would do: {pairs}")
        raise UsageError("\n  ".join(lines))


def _load(split: str, config: Config) -> SampleList:
    return task_of(config).samples(config.TEST.SPLIT if split == "test" else split)


def _check_weights(config: Config) -> Resumed | None:
    """What the run goes on from; None if it starts, or only tests."""
    if not config.TRAIN.ENABLE:
        checkpoint_to_test(config)
        return None
    model = build_model(config)
    load_initial_weights(config, model, log=False)
    if config.TRAIN.AUTO_RESUME:
        return check_resumable(config, model)
    _check_apart(config)
    return None


def _check_apart(config: Config) -> None:
    """Raises UsageError for weights in OUTPUT_DIR, which a run that starts anew moves aside."""
    folder = Path(config.OUTPUT_DIR).resolve()
    for key, path in (
        ("TRAIN.CHECKPOINT_FILE_PATH", config.TRAIN.CHECKPOINT_FILE_PATH),
        ("TEST.CHECKPOINT_FILE_PATH", config.TEST.CHECKPOINT_FILE_PATH),
    ):
        if path and "://" not in path and Path(path).resolve().is_relative_to(folder):
            raise UsageError(
                f"{key} = {path} is in OUTPUT_DIR, and TRAIN.AUTO_RESUME = False moves what is there "
                "aside: choose another OUTPUT_DIR"
            )


def _check_batches(config: Config, num_samples: int, world_size: int | None) -> None:
    world_size = world_size or _world_size(config)
    task_of(config).check_order(num_samples, Process(0, world_size, torch.device("cpu")))
    check_batch(config, world_size=world_size)


def _world_size(config: Config) -> int:
    return config.NUM_GPUS or config.CPU_PROCESSES


def _fewer_gpus(config: Config) -> dict[str, Any]:
    return {"NUM_GPUS": torch.cuda.device_count()}


def _counted_classes(config: Config) -> dict[str, Any]:
    count = count_classes(config)
    return {} if count in (None, config.MODEL.NUM_CLASSES) else {"MODEL.NUM_CLASSES": count}


def _split_mended(split: str, config: Config) -> dict[str, Any]:
    task = task_of(config)
    if split == "test" and not task.has_split("test"):
        return {"TEST.SPLIT": "val"} if task.has_split("val") else {}
    return _counted_classes(config)


def _batch(num_samples: int, config: Config) -> dict[str, Any]:
    """The largest batch of a power of two inputs a process that the samples suffice for."""
    world_size = _world_size(config)
    if config.TRAIN.BATCH_SIZE <= num_samples or num_samples < world_size:
        return {}
    values: dict[str, Any] = {
        "TRAIN.BATCH_SIZE": world_size * 2 ** ((num_samples // world_size).bit_length() - 1)
    }
    if not config.SOLVER.BASE_LR_BATCH:  # the learning rate is one for the batch that was asked for
        values["SOLVER.BASE_LR_BATCH"] = config.TRAIN.BATCH_SIZE
    return values
