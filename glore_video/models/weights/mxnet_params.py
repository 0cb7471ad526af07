"""Read MXNet's .params files (lists of named NDArrays) with numpy, without MXNet."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from glore_video.errors import UsageError

MXNET_MAGIC = struct.pack("<Q", 0x112)
"""How such files begin."""

_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DENSE = 0
_MAX_DIMENSIONS = 32
# By MXNet's type flags (mshadow).
_DTYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f8"),
    2: np.dtype("<f2"),
    3: np.dtype("u1"),
    4: np.dtype("<i4"),
    5: np.dtype("i1"),
    6: np.dtype("<i8"),
    7: np.dtype("?"),
    8: np.dtype("<i2"),
}
# An array takes at least its magic number and its number of dimensions, a name its length.
_LEAST_ARRAY, _LEAST_NAME = 4, 8


def read_mxnet_params(path: Path) -> dict[str, Tensor]:
    """The arrays of a .params file, as `mx.nd.save`, `Module.save_params` and Gluon write them.

    All forms of dense arrays that MXNet itself reads: with 64-bit shapes (version 1), with a storage
    type (2), with NumPy's shapes (3), and with 32-bit shapes from before 0.12. No length in the file is
    believed before it is compared with the file's size. The format is that of
    `src/ndarray/ndarray.cc` in apache/mxnet.

    Returns:
        name -> tensor, without the "arg:" and "aux:" that symbolic networks have before their names.

    Raises:
        ValueError: if the file is cut off, has no names, or holds sparse arrays or a data type that
            is not known.
    """
    with path.open("rb") as file:
        reader = _Reader(file, str(path))
        reader.take(len(MXNET_MAGIC))
        reader.number("<Q")  # reserved
        arrays = [reader.array(i) for i in range(reader.count("arrays", _LEAST_ARRAY))]
        names = [reader.text() for _ in range(reader.count("names", _LEAST_NAME))]
        if file.read(1):
            raise reader.failure("there is more in it after the last name")
    if not arrays:
        raise reader.failure("it holds no arrays")
    if len(names) != len(arrays):
        raise reader.failure(
            f"it has {len(names)} names for {len(arrays)} arrays; weights are saved by name "
            f"(mx.nd.save with a dict)"
        )
    state: dict[str, Tensor] = {}
    for name, array in zip(names, arrays, strict=True):
        key = name.removeprefix("arg:").removeprefix("aux:")
        if key in state:
            raise reader.failure(f"it has the name {key} twice")
        if array is not None:  # MXNet's arrays of unknown shape: no weights
            state[key] = array
    return state


class _Reader:
    """Numbers and arrays from a file, never more than it holds."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.left = os.fstat(file.fileno()).st_size

    def failure(self, reason: str) -> UsageError:
        return UsageError(f"{self.name} is not an MXNet file of weights that can be read: {reason}")

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise self.failure("it is cut off or damaged")
        self.left -= length
        return self.file.read(length)

    def number(self, code: str) -> int:
        value: int = struct.unpack(code, self.take(struct.calcsize(code)))[0]
        return value

    def count(self, of: str, least: int) -> int:
        """How many arrays or names follow; each takes `least` bytes or more."""
        found = self.number("<Q")
        if found * least > self.left:
            raise self.failure(f"it is cut off or damaged: {found} {of} cannot be in it")
        return found

    def text(self) -> str:
        try:
            return self.take(self.number("<Q")).decode("utf-8")
        except UnicodeDecodeError:
            raise self.failure("it is damaged: a name is no text") from None

    def shape(self, dimensions: int, code: str) -> tuple[int, ...]:
        if not 0 <= dimensions <= _MAX_DIMENSIONS:
            raise self.failure(f"it is damaged: an array of {dimensions} dimensions")
        sizes = tuple(self.number(code) for _ in range(dimensions))
        if any(size < 0 for size in sizes):
            raise self.failure(f"it is damaged: an array of shape {sizes}")
        return sizes

    def array(self, number: int) -> Tensor | None:
        """The next array; None for one that MXNet saved without a shape."""
        magic = self.number("<I")
        if magic in (_V2, _V3):
            storage = self.number("<i")
            if storage != _DENSE:
                raise self.failure(f"array {number} is sparse (storage type {storage})")
        if magic in (_V1, _V2, _V3):
            dimensions = self.number("<i")
            if dimensions == -1 and magic == _V3:
                return None
            shape = self.shape(dimensions, "<q")
        else:  # before version 1 the number of dimensions stood here
            shape = self.shape(magic, "<I")
        if not shape and magic != _V3:
            return None
        self.take(8)  # the device that it was on
        flag = self.number("<i")
        if flag not in _DTYPES:
            raise self.failure(f"array {number} has the unknown data type {flag}")
        dtype = _DTYPES[flag]
        raw = self.take(math.prod(shape) * dtype.itemsize)
        return torch.from_numpy(np.frombuffer(raw, dtype).reshape(shape).copy())
