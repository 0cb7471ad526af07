"""Signals that ask a run to stop, which are often sent to all its processes at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any

from glore_video.processes import waiting_times

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
)


def ignore_stop_signals() -> None:
    """Leave them to the parent, which is told too, and ends this process when it needs it no more.

    Those that signals_held_back has held back are forgotten.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """A process is forked within it: no signal comes in the middle, to it or to its parent.

    The child gets stop signals only once it has said what it does about them. What the parent's handlers
    do, also torch's of SIGCHLD, which raises where a reading worker has died, they do afterwards: of an
    error in one of the hooks of a fork Python only prints a line, and a lock that the hook was to give
    back, such as logging's, would be kept for good.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    came: list[int] = []
    handlers: dict[int, Any] = {}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        # The mask is that of this thread alone: others take a signal, and this one runs its handler.
        if threading.current_thread() is threading.main_thread():
            for number in (*STOP_SIGNALS, signal.SIGCHLD):
                if callable(signal.getsignal(number)):
                    handlers[number] = signal.signal(number, lambda n, frame: came.append(n))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


class StoppedBySignal(KeyboardInterrupt):
    """A run stopped as asked. `exit_status` is the shell's for the signal.

    Like Ctrl-C it passes through whatever catches errors.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + number


class StopSignals:
    """While it is entered, a first signal is only noted; one that comes later acts as it always did.

    Args:
        says: on stderr at once that the signal has come, and what follows.

    Attributes:
        received: number of the signal; 0 if none has come.
    """

    def __init__(self, *, says: bool = False) -> None:
        self.received = 0
        self._says = says
        self._at = 0.0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.received:
            self.received, self._at = number, time.monotonic()
            if self._says:
                _say(
                    f"{signal.Signals(number).name}: the state is saved as soon as the step, or the "
                    "batch of a validation, is done; the same again ends this process at once"
                )
        elif time.monotonic() - self._at > waiting_times.TWICE:
            signal.signal(number, self._previous[number])
            os.kill(os.getpid(), number)


@contextmanager
def raised_signals() -> Iterator[None]:
    """SIGTERM and SIGUSR1 within it raise StoppedBySignal, as Ctrl-C raises KeyboardInterrupt.

    What comes within two seconds after a first one is that one again, and does not disturb how this
    process ends.
    """
    raised: list[float] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not raised:
            raised.append(time.monotonic())
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            raise StoppedBySignal(f"stopped by {signal.Signals(number).name}", number)
        if time.monotonic() - raised[0] > waiting_times.TWICE:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's job in the background
                previous[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _say(line: str) -> None:
    """Past the logger and Python's streams, in which the signal may have come."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode())
