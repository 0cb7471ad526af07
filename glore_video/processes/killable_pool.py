"""Work spread over processes, each piece with a time limit that holds for C code too."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from glore_video.processes.forked_child import Child, ChildDiedError
from glore_video.processes.records import note_sample


@dataclass(frozen=True)
class Outcome:
    """What became of one piece of work.

    Attributes:
        task: the argument.
        value: what the function returned.
        lost: why there is no value: "timeout", or how the process died; empty if there is one.
    """

    task: Any
    value: Any = None
    lost: str = ""


def map_killable(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    processes: int,
    seconds: float,
    video: Callable[[Any], str] = str,
) -> Generator[Outcome, None, None]:
    """function(task) for each task in forked processes, in the order in which they are done.

    A process that takes longer than `seconds` for a task is killed, and another takes its place.
    All are killed when the iterator is closed. An error of the function is raised here, at once.

    Args:
        video: the path of a task's video, for what is said of such an error.
    """
    queue = iter(tasks)
    idle: list[Child] = []
    busy: dict[Connection, tuple[Child, Any, float]] = {}
    try:
        while True:
            while len(busy) < processes:
                try:
                    task = next(queue)
                except StopIteration:
                    break
                child = _send(idle, function, task)
                busy[child.connection] = (child, task, time.monotonic() + seconds)
            if not busy:
                return
            first = min(deadline for _, _, deadline in busy.values())
            ready = wait(list(busy), timeout=max(0.0, first - time.monotonic()))
            now = time.monotonic()
            for connection, (child, task, deadline) in list(busy.items()):
                if connection in ready:
                    del busy[connection]
                    idle.append(child)
                    try:
                        outcome = Outcome(task, child.receive())
                    except ChildDiedError as death:
                        idle.remove(child)
                        outcome = Outcome(task, lost=str(death))
                    except Exception as error:
                        note_sample(error, video(task))
                        raise
                    yield outcome
                elif now >= deadline:
                    del busy[connection]
                    child.kill()
                    yield Outcome(task, lost="timeout")
    finally:
        for child in [*idle, *(child for child, _, _ in busy.values())]:
            child.kill()


def _send(idle: list[Child], function: Callable[[Any], Any], task: Any) -> Child:
    while idle:
        child = idle.pop()
        try:
            child.send(task)
        except ChildDiedError:
            continue  # it went while it had nothing to do
        return child
    child = Child(function)
    child.send(task)
    return child
