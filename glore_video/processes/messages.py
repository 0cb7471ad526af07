"""What goes through the pipe of a forked child: answers, whose tensors go by shared memory, and errors."""

from __future__ import annotations

import io
import mmap
import pickle
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from glore_video.processes.records import Record, RemoteError

_MOST_BYTES = 60_000  # of an error, below what a pipe holds: sending it waits for nobody


def pack_error(error: BaseException) -> bytes:
    """An error with its traceback, for unpack_error in another process."""
    record = Record.of(error)
    if isinstance(error, Exception):
        try:
            data = pickle.dumps((error, record))
            pickle.loads(data)  # some errors can be written and not read
            if len(data) < _MOST_BYTES:
                return data
        except Exception:  # whatever an error's own methods raise: it is told as text
            pass
    return pickle.dumps((RuntimeError(record.what), record))


def unpack_error(data: bytes, who: str) -> Exception:
    """The error, with a RemoteError as its cause; RuntimeError in place of one that can't be sent.

    Args:
        who: which process it was, in words.
    """
    error: Exception
    error, record = pickle.loads(data)
    error.__cause__ = RemoteError(replace(record, who=who))
    return error


def pack(answer: Any, buffer: mmap.mmap | None) -> bytes:
    """Its tensors go into the buffer, one after the other, and into the bytes where that is full."""
    file = io.BytesIO()
    _Packer(file, buffer).dump(answer)
    return file.getvalue()


def unpack(data: bytes, buffer: mmap.mmap | None) -> Any:
    """What `pack` was given; tensors are copies."""
    return _Unpacker(data, buffer).load()


class _Packer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, buffer: mmap.mmap | None) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._buffer = buffer
        self._used = 0

    def persistent_id(self, value: Any) -> tuple[int, torch.dtype, tuple[int, ...]] | None:
        if not isinstance(value, Tensor) or self._buffer is None or not value.numel():
            return None
        start = -(-self._used // 64) * 64
        if start + value.nbytes > len(self._buffer):
            return None
        place = torch.frombuffer(self._buffer, dtype=value.dtype, count=value.numel(), offset=start)
        place.view(value.shape).copy_(value)
        self._used = start + value.nbytes
        return start, value.dtype, tuple(value.shape)


class _Unpacker(pickle.Unpickler):
    def __init__(self, data: bytes, buffer: mmap.mmap | None) -> None:
        super().__init__(io.BytesIO(data))
        self._buffer = buffer

    def persistent_load(self, place: tuple[int, torch.dtype, tuple[int, ...]]) -> Tensor:
        start, dtype, shape = place
        assert self._buffer is not None
        count = int(torch.Size(shape).numel())
        return (
            torch.frombuffer(self._buffer, dtype=dtype, count=count, offset=start)
            .view(shape)
            .clone()
        )
