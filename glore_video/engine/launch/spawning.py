"""Processes that this one has started: what they are told, and how they end together."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from types import FrameType

from glore_video.processes import waiting_times
from glore_video.processes.ending import UNFORESEEN, USERS, end_processes
from glore_video.processes.records import silent_end, take


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """These variables, for processes that start within it."""
    previous = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def first_failure(processes: Sequence[BaseProcess]) -> int | None:
    """Wait until all have ended, or one has failed: its place, once the others are ended too.

    One that hangs in its reading notes SIGTERM and goes on hanging, so it is killed.
    """
    running = dict(enumerate(processes))
    while running:
        ended = connection.wait([process.sentinel for process in running.values()])
        for rank in [rank for rank, process in running.items() if process.sentinel in ended]:
            process = running.pop(rank)
            process.join()
            if process.exitcode:
                end_processes([*running.values()], waiting_times.ASK_RANKS)
                return rank
    return None


def raise_or_status(rank: int, process: BaseProcess) -> int:
    """Exit status of a process that has said why it has failed; else its error is raised.

    RemoteError if it could not say why.
    """
    assert process.pid is not None
    status = process.exitcode or 0
    record = take(process.pid)
    if record is None and status not in (UNFORESEEN, USERS):
        name = signal.Signals(-status).name if status < 0 else ""
        who = f"rank {rank} (process {process.pid})"
        record = silent_end(who, status=status, signal=name, memory=name == "SIGKILL")
    if record is not None and record.what:
        raise record.error()
    return status


@contextmanager
def signals_handed_on(pids: Sequence[int]) -> Iterator[list[int]]:
    """Hand signals that ask to stop on to the processes, which save their state and end.

    A terminal sends Ctrl-C to all of them by itself. Gives a list of the signals that came.
    """
    received: list[int] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    previous = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    for name in ("SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            number = getattr(signal, name)
            previous[number] = signal.signal(number, hand_on)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
