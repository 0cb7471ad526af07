"""Read Caffe2's pickles of named arrays without running any code that they may hold."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glore_video.errors import UsageError

# What the optimiser and the training loop leave beside the parameters.
_NOT_WEIGHTS = ("momentum", "model_iter")


class RefusedPickleError(UsageError):
    """A pickle that names something other than numpy arrays and plain containers."""


def read_caffe2_pickle(path: Path) -> dict[str, Tensor] | None:
    """The parameters in a Caffe2 checkpoint, as SlowFast's model zoo has them.

    Such a file is a pickled {"blobs": {name: array}}. Only numpy arrays, numbers, strings and
    plain containers are built; the optimiser's blobs (momenta, learning rate, iteration) are left
    out.

    Returns:
        name -> tensor; None if the file is no pickle of that form.

    Raises:
        RefusedPickleError: if the pickle asks for anything else.
    """
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="latin1").load()
    except RefusedPickleError:
        raise
    except Exception:  # damaged pickles raise errors of nearly every kind
        return None
    if not isinstance(content, Mapping) or not isinstance(content.get("blobs"), Mapping):
        return None
    blobs = {
        str(name): np.asarray(value)
        for name, value in content["blobs"].items()
        if name != "lr" and not any(word in str(name) for word in _NOT_WEIGHTS)
    }
    if not all(np.issubdtype(value.dtype, np.number) for value in blobs.values()):
        return None
    return {name: torch.from_numpy(np.array(value)) for name, value in blobs.items()}


def _scalar(dtype: np.dtype[Any], raw: bytes | str) -> Any:
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    return np.frombuffer(data, dtype=dtype)[0]  # frombuffer refuses Python objects


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise RefusedPickleError(f"the codec {encoding}")
    return text.encode(encoding)


def _reconstruct(kind: type, shape: tuple[int, ...], dtype: bytes | str) -> Any:
    if kind is not np.ndarray:
        raise RefusedPickleError(f"an array of type {kind}")
    return np.ndarray.__new__(np.ndarray, shape, np.dtype("b"))


# numpy renamed its module `core` to `_core` in version 2.
_ALLOWED: dict[tuple[str, str], type | Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise RefusedPickleError(f"{module}.{name}")
        return _ALLOWED[module, name]
