"""Files of arrays that a test leaves (.npz): the same arrays give the same bytes at any time."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from glore_video.files.whole_files import whole_file


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], *, as_they_are: Collection[str] = ()
) -> None:
    """Write what np.savez_compressed does, without the time of day, whole or not at all.

    Args:
        as_they_are: names of arrays that are not compressed.
    """
    with whole_file(path) as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            stored = name in as_they_are
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(
                    member, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
                )
