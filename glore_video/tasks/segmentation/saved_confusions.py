"""The confusion matrices that a test keeps, confusions.npz: written the same to the byte, read with checks."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glore_video.choices import Match
from glore_video.errors import UsageError
from glore_video.tasks.array_files import write_arrays
from glore_video.tasks.results_folder import find_file
from glore_video.tasks.sample_kinds import PICTURE, SampleKind
from glore_video.tasks.sample_matching import Key, sample_keys
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions

FILE = "confusions.npz"


@dataclass(frozen=True, kw_only=True)
class SavedConfusions:
    """The scored pictures of one test, in the order of its list.

    Attributes:
        source: where they were read from, for messages.
        paths: of the pictures.
        class_names: one a class.
        matrices: float32 (pictures, classes, columns), see statistics.confusion.
        colours: of the classes, uint8 (classes, 3).
        match: by what pictures of several tests are the same.
    """

    source: str
    paths: tuple[str, ...]
    class_names: tuple[str, ...]
    matrices: np.ndarray
    colours: np.ndarray
    match: Match = "path"
    kind: SampleKind = PICTURE

    @property
    def keys(self) -> tuple[Key, ...]:
        """Raises UsageError if names are to match, and two pictures have the same."""
        return tuple(sample_keys(self, self.match))

    @property
    def not_finite(self) -> np.ndarray:
        """bool (pictures,): those with a pixel whose scores are not finite."""
        return np.any(self.matrices[:, :, len(self.class_names) :] > 0, axis=(1, 2))


def save_confusions(
    folder: Path, seen: PictureConfusions, class_names: Sequence[str], colours: np.ndarray
) -> None:
    """Write the file, whole or not at all; it loads without pickle.

    It has paths, class_names, colours (classes, 3), matrices (pictures, classes, classes + 1) and, if
    instances are known, instances (pictures, classes, 4).
    """
    arrays = {
        "paths": np.array(seen.paths, dtype=np.str_),
        "class_names": np.array(class_names, dtype=np.str_),
        "colours": colours,
        "matrices": seen.matrices,
    }
    if seen.instances is not None:
        arrays["instances"] = seen.instances
    write_arrays(folder / FILE, arrays)


def load_confusions(path: str | Path, *, match: Match = "path") -> SavedConfusions:
    """Read confusions.npz: the file, the `test` folder that it lies in, or the run's OUTPUT_DIR.

    Raises:
        MissingFileError: there is none.
        UsageError: it is no such file, its parts do not fit together, or nothing was scored.
    """
    file = find_file(Path(path), FILE)
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            paths, names, matrices, colours = (
                arrays[name] for name in ("paths", "class_names", "matrices", "colours")
            )
    except (
        *(zipfile.BadZipFile, AttributeError, KeyError, EOFError, OSError, TypeError),
        ValueError,
    ) as error:
        raise UsageError(f"{file}: is no {FILE} of a test: {error}") from None
    fits = matrices.ndim == 3 and matrices.shape[:2] == (len(paths), len(names))
    if not fits or matrices.shape[2] < len(names) or matrices.dtype.kind not in "fiu":
        raise UsageError(
            f"{file}: matrices of {matrices.dtype}, shape {matrices.shape}, for {len(paths)} pictures "
            f"and {len(names)} classes"
        )
    if colours.shape != (len(names), 3) or colours.dtype != np.uint8:
        raise UsageError(
            f"{file}: colours of {colours.dtype}, shape {colours.shape}, for {len(names)} classes"
        )
    if not np.isfinite(matrices).all() or (matrices < 0).any():
        raise UsageError(f"{file}: matrices must count pixels, but some are negative or not finite")
    if not matrices.any():
        raise UsageError(f"{file}: no pixel was scored")
    return SavedConfusions(
        source=str(file),
        paths=tuple(paths.tolist()),
        class_names=tuple(names.tolist()),
        matrices=matrices,
        colours=colours,
        match=match,
    )
