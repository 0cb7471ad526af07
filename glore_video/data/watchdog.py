"""A time limit for reading a sample that holds even where the decoder hangs or crashes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

from glore_video.errors import SampleError, UsageError
from glore_video.processes.forked_child import Child, ChildDiedError
from glore_video.processes.records import note_sample

T = TypeVar("T")
_BUFFER_BYTES = 64 << 20  # holds the frames of 30 views; pages that are never used cost nothing
_TOO_LONG = "reading took longer than"


def is_timeout(reason: str) -> bool:
    """Whether a failure's reason is a Watchdog's time limit."""
    return reason.startswith(_TOO_LONG)


class Watchdog:
    """Calls functions that read samples in a process of its own, which dies if it takes too long.

    No signal and no thread gets out of a decoder that loops or waits in C for a file system that is
    gone; killing its process does. The process is forked at the first call and serves all calls
    of the same function, so that a call costs sending its arguments and copying its answer.

    A copy that is sent to another process starts a process there.

    Args:
        seconds: for one call; above 0.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise UsageError(f"a time limit must be above 0 seconds, got {seconds}")
        self.seconds = seconds
        self._child: Child | None = None
        self._function: Callable[..., Any] | None = None
        self._owner = 0

    def call(self, function: Callable[..., Any], path: str, *arguments: Any) -> Any:
        """function(*arguments), which reads the sample at `path`.

        Raises what the function raises, and SampleError if it takes too long or its process dies.
        """
        child = self._start(function, arguments)
        try:
            in_time = child.answers_within(self.seconds)
        except BaseException:
            self.close()  # or its late answer would be taken for the next call's
            raise
        if not in_time:
            self.close()
            raise SampleError(path, f"{_TOO_LONG} {self.seconds:g} s and was stopped")
        try:
            return child.receive()
        except ChildDiedError as death:
            self._child = None
            raise SampleError(path, f"its decoder crashed ({death})") from None

    def close(self) -> None:
        """End the process, if there is one."""
        child, self._child = self._child, None
        if child is not None and self._owner == os.getpid():
            child.kill()

    def _start(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Child:
        if self._owner != os.getpid() or self._function != function:
            self.close()
        if self._child is not None:
            try:
                self._child.send(*arguments)
            except ChildDiedError:
                self._child = None  # it went between two samples: no fault of this one
            else:
                return self._child
        self._child = Child(function, buffer_bytes=_BUFFER_BYTES)
        self._function, self._owner = function, os.getpid()
        self._child.send(*arguments)
        return self._child

    def __getstate__(self) -> float:
        return self.seconds

    def __setstate__(self, seconds: float) -> None:
        self.__init__(seconds)  # type: ignore[misc]


def watched(watchdog: Watchdog | None, read: Callable[..., T], path: str, *arguments: Any) -> T:
    """read(*arguments), which reads the file at `path`; within a time limit if there is a watchdog.

    Only SampleError is the file's fault. Other errors are raised as they are, and know the file.
    """
    __tracebackhide__ = True
    try:
        if watchdog is None:
            return read(*arguments)
        return cast("T", watchdog.call(read, path, *arguments))
    except SampleError:
        raise
    except Exception as error:
        note_sample(error, path)
        raise
