"""Which class a number in a mask stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.images.errors import PictureError

IGNORED = 255
"""The class of pixels that are neither trained nor tested."""
MAX_CLASSES = 254
_UNKNOWN = 254
_NUMBERS = 2**16  # that masks of 16 bits can hold


class LabelMap:
    """From stored numbers to classes, by one look-up in a table.

    Args:
        classes: stored number -> class, 0 .. MAX_CLASSES - 1.
        ignored: stored numbers that become IGNORED.
        mended_by: what a user whose masks hold other numbers can do, for the error.

    Raises UsageError for numbers and classes that can't be.
    """

    def __init__(
        self, classes: Mapping[int, int], *, ignored: Iterable[int] = (), mended_by: str = ""
    ) -> None:
        table = np.full(_NUMBERS, _UNKNOWN, dtype=np.uint8)
        for number, value in (*classes.items(), *((number, IGNORED) for number in ignored)):
            if not 0 <= number < _NUMBERS:
                raise UsageError(f"masks hold numbers from 0 to {_NUMBERS - 1}, not {number}")
            if value != IGNORED and not 0 <= value < MAX_CLASSES:
                raise UsageError(f"a mask can have {MAX_CLASSES} classes; {value} is too many")
            table[number] = value
        self.mended_by = mended_by
        self._table = table  # uint8 (_NUMBERS,)

    def __call__(self, stored: Tensor, path: str | os.PathLike[str] = "") -> Tensor:
        """The classes of a mask: uint8 (height, width), IGNORED where there is none.

        Args:
            stored: uint8 or int32 (height, width), as images.masks.read_mask gives it.
            path: of the mask.

        Raises PictureError that counts the numbers which stand for no class.
        """
        numbers = stored.numpy()
        if stored.dtype == torch.uint8:
            values = np.take(self._table, numbers)
        else:
            outside = (numbers < 0) | (numbers >= _NUMBERS)
            values = np.take(self._table, np.where(outside, 0, numbers))
            values[outside] = _UNKNOWN
        if (values == _UNKNOWN).any():
            raise PictureError(path, self.describe(self.unknown(stored)))
        return torch.from_numpy(values)

    def unknown(self, stored: Tensor) -> dict[int, int]:
        """Numbers in a mask that stand for no class, ascending, and their pixels."""
        numbers, counts = np.unique(stored.numpy(), return_counts=True)
        return {
            number: count
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
            if not 0 <= number < _NUMBERS or self._table[number] == _UNKNOWN
        }

    def describe(self, unknown: Mapping[int, int], most: int = 5) -> str:
        """Words for numbers that stand for no class, and their pixels."""
        frequent = sorted(unknown.items(), key=lambda item: -item[1])
        parts = [
            f"{number} ({count:,} pixel{'s' if count > 1 else ''})"
            for number, count in frequent[:most]
        ]
        more = f" and {len(unknown) - most} more" if len(unknown) > most else ""
        mended = f"; {self.mended_by}" if self.mended_by else ""
        return f"holds numbers that stand for no class: {', '.join(parts)}{more}{mended}"
