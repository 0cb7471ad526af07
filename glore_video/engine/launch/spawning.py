"""Processes that this one has started: what they are told, and how they end together."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from types import FrameType

import torch

from glore_video.processes.carried_errors import RemoteError, SilentEndError, place_in

_SECONDS_TO_END = 2.0


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


def wait_for_all(context: torch.multiprocessing.SpawnContext) -> None:
    """Until all processes have ended, or one has failed, at which the others are ended.

    Raises what join() of the context raises. A process that hangs in its reading notes SIGTERM and
    goes on hanging, so it is killed.
    """
    processes = dict(zip(context.sentinels, context.processes, strict=True))
    while context.sentinels:
        ended = connection.wait(list(context.sentinels))
        for sentinel in ended:
            processes[sentinel].join()
        failed = [sentinel for sentinel in ended if processes[sentinel].exitcode]
        if failed:
            others = [one for sentinel, one in processes.items() if sentinel != failed[0]]
            for process in others:
                process.terminate()
            deadline = time.monotonic() + _SECONDS_TO_END
            for process in others:
                process.join(max(0.0, deadline - time.monotonic()))
                process.kill()
                process.join(_SECONDS_TO_END)
            for sentinel in set(context.sentinels) - {failed[0]}:
                del context.sentinels[sentinel]
        context.join(timeout=0)


def rank_error(
    error: torch.multiprocessing.ProcessRaisedException
    | torch.multiprocessing.ProcessExitedException,
) -> RuntimeError:
    """What a process has ended of that did not say so itself, in one line."""
    who = f"rank {error.error_index}"
    if isinstance(error, torch.multiprocessing.ProcessRaisedException):
        trace = str(error).strip()
        found = RuntimeError(f"{who} has failed")
        found.__cause__ = RemoteError(trace, trace.rpartition("\n")[2], place_in(trace), who)
        return found
    who = f"{who} (process {error.error_pid})"
    if error.signal_name is None:
        return SilentEndError(f"{who} ended with exit status {error.exit_code} and did not say why")
    advice = (
        ": where the machine ran out of memory (see dmesg), use smaller batches or fewer workers"
        if error.signal_name == "SIGKILL"
        else ""
    )
    return SilentEndError(f"{who} was killed by {error.signal_name}{advice}")


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
