"""What FFmpeg's decoders say while they decode (its log).

How loud FFmpeg's log is holds for a whole process: the last of the threads that listen puts it back.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import av


class _Loudness:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """In a forked process: nobody listens there yet."""
        self._lock = Lock()
        self._listeners = 0
        self._before: tuple[int | None, bool] = (None, True)

    def __enter__(self) -> None:
        with self._lock:
            if not self._listeners:
                self._before = av.logging.get_level(), av.logging.get_skip_repeated()
                av.logging.set_skip_repeated(False)
                av.logging.set_level(av.logging.INFO)
            self._listeners += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._listeners -= 1
            if not self._listeners:
                level, skip = self._before
                av.logging.set_level(level)
                av.logging.set_skip_repeated(skip)


_loudness = _Loudness()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loudness.forget)


@contextmanager
def listening() -> Iterator[list[tuple[int, str, str]]]:
    """A list to which the decoders of this thread add what they say: level, name, text.

    They must decode with one thread: others are not heard. Blocks are left in the order in which
    they were entered, the last one first.
    """
    with _loudness, av.logging.Capture() as told:
        yield told
