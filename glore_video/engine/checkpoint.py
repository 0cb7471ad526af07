"""Checkpoints of a run: written whole or not at all, found again, read without running code."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import torch

from glore_video.errors import NO_SPACE, FileError, MissingFileError, UsageError, load_failure

logger = logging.getLogger(__name__)

_NAME = re.compile(r"checkpoint_epoch_(\d{5,})(?:_step_(\d+))?\.pyth")
BEST_NAME = "checkpoint_best.pyth"
_TEMPORARY = ".tmp"


def checkpoint_path(output_dir: str | Path, epoch: int, step: int = 0) -> Path:
    """File of the checkpoint after `epoch` whole epochs, and `step` steps of the next one."""
    within = f"_step_{step:07d}" if step else ""
    return Path(output_dir) / "checkpoints" / f"checkpoint_epoch_{epoch:05d}{within}.pyth"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write to a temporary name, sync, rename: a reader sees the old file or the whole new one.

    Temporary files that killed writes left in the folder are removed first.

    Raises OSError, whose message names the file and what to do, if it can't be written (disk full,
    folder not writable); all earlier checkpoints stay as they are.
    """
    temporary = path.with_suffix(_TEMPORARY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path.parent)
        with temporary.open("wb") as raw:
            file = _RememberingFile(raw)
            try:
                torch.save(state, cast("IO[bytes]", file))
            except Exception as error:  # torch may hide the file's error in one of its own
                raise file.error or error from None
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)  # before the free space is looked at
        raise _not_saved(path, state, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


class _RememberingFile:
    """A file to write to that keeps the first error of writing."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self._file.flush()


def _remove_stale(folder: Path) -> None:
    for path in folder.glob(f"checkpoint_*{_TEMPORARY}"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk too, where folders can be synced."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(OSError):  # some network file systems refuse
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_saved(path: Path, state: dict[str, Any], error: OSError) -> FileError:
    """The error in words: what could not be written, how large it is, what to do."""
    reason = error.strerror or str(error)
    text = f"could not save {path}: {reason}"
    if error.errno in NO_SPACE:
        with suppress(OSError):
            free = shutil.disk_usage(path.parent).free
            text += f" ({_size(state) / 1e6:.1f} MB to write, {free / 1e6:.1f} MB free there)"
        advice = (
            "make room (TRAIN.KEEP_CHECKPOINTS limits how many are kept) or set another OUTPUT_DIR"
        )
    else:
        advice = "make its folder writable or set another OUTPUT_DIR"
    text += f"; earlier checkpoints are as they were: {advice}"
    mended = FileError(text)
    mended.errno = error.errno
    return mended


def _size(state: Any) -> int:
    """Bytes of the tensors in plain containers."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, dict):
        return sum(_size(value) for value in state.values())
    if isinstance(state, (list, tuple)):
        return sum(_size(value) for value in state)
    return 0


def last_checkpoint(output_dir: str | Path) -> Path | None:
    """The latest checkpoint in a run's OUTPUT_DIR, within an epoch or after one, or None."""
    found = _checkpoints(output_dir)
    return found[-1][1] if found else None


def latest_readable(
    output_dir: str | Path, *, warn: bool = True
) -> tuple[Path, dict[str, Any]] | None:
    """The latest checkpoint in a run's OUTPUT_DIR that can be read, and what is in it.

    Warns of each damaged one that it passes over, unless told not to. None if the run has no
    checkpoint yet.

    Raises ValueError if there are checkpoints and none can be read: starting anew is not for a
    program to decide.
    """
    found = _checkpoints(output_dir)
    reasons = []
    for _, path in reversed(found):
        try:
            state = read_checkpoint(path)
        except ValueError as error:
            reasons.append(str(error))
            if warn and len(reasons) < len(found):
                logger.warning("%s; the one before it is taken", error)
        else:
            return path, state
    if reasons:
        raise UsageError(
            f"none of the {len(reasons)} checkpoints in {found[0][1].parent} can be read (the last: "
            f"{reasons[0]}); move them away or set TRAIN.AUTO_RESUME False to start anew"
        )
    return None


def remove_old_checkpoints(output_dir: str | Path, *, keep: int) -> None:
    """Remove those within an epoch but the latest checkpoint; of the others keep the last `keep`.

    keep = 0 keeps all that were made after whole epochs.
    """
    found = _checkpoints(output_dir)
    whole = [path for (_, step), path in found if not step]
    within = [path for (_, step), path in found[:-1] if step]
    for path in within + (whole[:-keep] if keep else []):
        path.unlink(missing_ok=True)


def _checkpoints(output_dir: str | Path) -> list[tuple[tuple[int, int], Path]]:
    """((whole epochs, further steps), file), the earliest first."""
    folder = Path(output_dir) / "checkpoints"
    return sorted(
        ((int(match.group(1)), int(match.group(2) or 0)), path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := _NAME.fullmatch(path.name))
    )


def resolve_checkpoint(path: str | Path, *, key: str) -> Path | str:
    """A file or URL of weights as it is; for a run's OUTPUT_DIR its last checkpoint.

    `key` is for errors: FileNotFoundError if there is no such file, or no checkpoint in the folder.
    """
    if "://" in str(path):
        return str(path)
    path = Path(path)
    if path.is_file():
        return path
    if path.is_dir():
        last = last_checkpoint(path)
        if last is not None:
            return last
        raise MissingFileError(
            f"{key} = {path}: this folder holds no checkpoints/checkpoint_epoch_*"
        )
    raise MissingFileError(f"{key} = {path}: no such file or folder")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint written by `save_checkpoint`: tensors and plain containers only.

    Raises ValueError if the file is damaged, or is no checkpoint of this package.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise UsageError(f"{path}: not a readable checkpoint: {load_failure(error)}") from None
    kinds = {"model_state": dict, "epoch": int}
    if not isinstance(state, dict) or not all(
        isinstance(state.get(name), kind) for name, kind in kinds.items()
    ):
        raise UsageError(f"{path}: not a checkpoint of a run (no model_state and epoch in it)")
    return state


def read_notes(path: Path) -> Mapping[str, Any]:
    """What stands in a checkpoint beside the weights; nothing for other files.

    A file that can't be read is `load_weights`'s to complain about.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # torch.load raises many kinds
        return {}
    return content if isinstance(content, Mapping) and "model_state" in content else {}


def stored_names(notes: Mapping[str, Any]) -> tuple[str, ...]:
    """Class names by label, as a run wrote them into its checkpoint; none in other files."""
    return tuple(str(name) for name in notes.get("class_names") or ())
