"""Memory that a run has too little of, in keys of its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from glore_video.config import Config
from glore_video.engine.launch.processes import Process
from glore_video.errors import UsageError
from glore_video.processes.torch_words import is_out_of_memory, memory_asked_for
from glore_video.tasks import task_of


@contextmanager
def memory_of_training_in_keys(config: Config, process: Process) -> Iterator[None]:
    """Too little memory within it is a UsageError that names the keys which need less in training."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        batch = f"TRAIN.BATCH_SIZE = {config.TRAIN.BATCH_SIZE}"
        if process.world_size > 1:
            batch += f" over {process.world_size} processes"
        ways = ["a smaller one", *lighter_keys(config)]
        raise UsageError(
            f"{_what(error, process)} with {batch}: {', '.join(ways[:-1])} or {ways[-1]} takes less; "
            "train --find-batch says which batch fits"
        ) from error


@contextmanager
def memory_of_test_in_keys(config: Config, process: Process) -> Iterator[None]:
    """The same of a test."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UsageError(
            f"{_what(error, process)} with TEST.BATCH_SIZE = {config.TEST.BATCH_SIZE}: "
            f"{task_of(config).lighter_test} takes less"
        ) from error


def lighter_keys(config: Config) -> list[str]:
    """Keys with values that need less memory for the same batch."""
    ways = [f"TRAIN.ACCUMULATION_STEPS {2 * config.TRAIN.ACCUMULATION_STEPS}"]
    if not config.MODEL.ACT_CHECKPOINT:
        ways.append("MODEL.ACT_CHECKPOINT True")
    if not config.TRAIN.MIXED_PRECISION and config.NUM_GPUS:
        ways.append("TRAIN.MIXED_PRECISION True")
    return ways


def _what(error: RuntimeError, process: Process) -> str:
    asked = memory_asked_for(error)
    more = f" ({asked} more)" if asked else ""
    return f"out of memory on {process.device}{more} in {process.activity.what}"
