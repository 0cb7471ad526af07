"""Checkpoints of a run: written whole or not at all, found again, read without running code."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import torch

_NAME = re.compile(r"checkpoint_epoch_(\d{5,})(?:_step_(\d+))?\.pyth")
BEST_NAME = "checkpoint_best.pyth"


def checkpoint_path(output_dir: str | Path, epoch: int, step: int = 0) -> Path:
    """File of the checkpoint after `epoch` whole epochs, and `step` steps of the next one."""
    within = f"_step_{step:07d}" if step else ""
    return Path(output_dir) / "checkpoints" / f"checkpoint_epoch_{epoch:05d}{within}.pyth"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write to a temporary name, sync, rename: a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def last_checkpoint(output_dir: str | Path) -> Path | None:
    """The latest checkpoint in a run's OUTPUT_DIR, within an epoch or after one, or None."""
    found = _checkpoints(output_dir)
    return found[-1][1] if found else None


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
        raise FileNotFoundError(
            f"{key} = {path}: this folder holds no checkpoints/checkpoint_epoch_*"
        )
    raise FileNotFoundError(f"{key} = {path}: no such file or folder")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint written by `save_checkpoint`: tensors and plain containers only.

    Raises ValueError if the file is damaged, or is no checkpoint of this package.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: not a readable checkpoint: {reason}") from None
    if not isinstance(state, dict) or "model_state" not in state or "epoch" not in state:
        raise ValueError(f"{path}: not a checkpoint of a run (no model_state and epoch in it)")
    return state
