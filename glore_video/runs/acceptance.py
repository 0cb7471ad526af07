"""Whether a run may take place in its OUTPUT_DIR: checked before anything is written there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from glore_video.config import Config
from glore_video.engine.checkpoint import last_checkpoint
from glore_video.engine.output_dir import FolderLock, InUseError, set_aside
from glore_video.engine.run_log import setup_logging
from glore_video.errors import UsageError
from glore_video.runs.preparation import prepare


@contextmanager
def accepted(
    config: Config, *, doing: Callable[[str], None], world_size: int | None = None
) -> Iterator[None]:
    """Within it, OUTPUT_DIR is this run's, which has passed all checks; the log goes there.

    A run that is refused writes nothing there. One that trains keeps others from training there
    until the end; one that starts anew moves what an earlier run has left aside.

    Args:
        doing: is told what is done at each moment.
        world_size: as `prepare` has it.
    """
    folder = Path(config.OUTPUT_DIR)
    with FolderLock(folder) as lock:
        if config.TRAIN.ENABLE:
            _take(lock, create=False)  # to say at once that another run is there
        prepare(config, doing=doing, world_size=world_size)
        if config.TRAIN.ENABLE:
            _take(lock, create=True)
            if not config.TRAIN.AUTO_RESUME or _ended_before_a_checkpoint(folder):
                set_aside(folder)
        setup_logging(folder, is_main=True)
        yield


def _ended_before_a_checkpoint(folder: Path) -> bool:
    """Whether a run trained here whose metrics and best weights are all that it left."""
    trained = (folder / "metrics.jsonl").exists() or (folder / "checkpoints").exists()
    return trained and last_checkpoint(folder) is None


def _take(lock: FolderLock, *, create: bool) -> None:
    try:
        lock.take(create=create)
    except InUseError as error:
        raise UsageError(
            f"OUTPUT_DIR = {lock.folder}: {error}: two runs can't train there at once; end that one "
            "or choose another OUTPUT_DIR"
        ) from None


def check_settings(config: Config) -> None:
    """Raises ValueError for a run that does nothing, or whose OUTPUT_DIR can't be a folder."""
    if not config.TRAIN.ENABLE and not config.TEST.ENABLE:
        raise UsageError(
            "TRAIN.ENABLE = False and TEST.ENABLE = False: there is nothing to do; one must be True"
        )
    if not config.OUTPUT_DIR.strip():
        raise UsageError("OUTPUT_DIR is empty: the folder for what the run leaves is expected")
    for path in (Path(config.OUTPUT_DIR), *Path(config.OUTPUT_DIR).absolute().parents):
        if path.exists():
            if not path.is_dir():
                raise UsageError(
                    f"OUTPUT_DIR = {config.OUTPUT_DIR}: {path} is a file, not a folder"
                )
            if not os.access(path, os.W_OK):
                raise UsageError(f"OUTPUT_DIR = {config.OUTPUT_DIR}: {path} can't be written to")
            return
