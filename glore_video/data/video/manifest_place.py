"""Where the manifest of a list or folder goes, and which run takes it from there."""

from __future__ import annotations

import os
from pathlib import Path

from glore_video.data.numbering import SPLITS, manifest_beside
from glore_video.data.video.manifest import is_manifest


def manifest_of(source: Path) -> Path:
    """Where the manifest of a source goes by default: where a run looks for it."""
    if source.is_file() and is_manifest(source):
        return source
    source = Path(os.path.abspath(source))
    return source.with_name(f"{source.name if source.is_dir() else source.stem}.manifest.csv")


def use_line(manifest: Path, prefix: str = "") -> str:
    """What a run does with a manifest of this name, for the terminal."""
    for split in SPLITS:
        if manifest.name in (f"{split}.csv", manifest_beside(Path(), split).name):
            start = f" and DATA.PATH_PREFIX {prefix}" if prefix else ""
            folder = os.path.abspath(manifest.parent)
            return f"the next run with DATA.PATH_TO_DATA_DIR {folder}{start} takes it for {split}"
    return (
        "no run takes it under this name: it must be train.csv, val.csv or test.csv in its "
        "DATA.PATH_TO_DATA_DIR, or train.manifest.csv and so on beside a list or folder train"
    )
