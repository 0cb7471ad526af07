"""How a command ends at an error: one line, the traceback in a file, no process left."""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess

from glore_video.processes import waiting_times
from glore_video.processes.records import Record

logger = logging.getLogger("glore_video")

UNFORESEEN = 1
"""Exit status at an error that nobody foresaw."""
USERS = 2
"""Exit status at an error that the user can mend."""


def end_at(error: Exception, tell: Callable[[str], bool]) -> int:
    """Say in one line what happened, keep the traceback, and end this process' children.

    Args:
        tell: called with the line; False: another process of the run has spoken already.

    Returns the exit status.
    """
    record = Record.of(error)
    line = str(record)
    speaks = tell(line)
    if record.for_user:
        _log_traceback(error, "stopped here")
    else:
        text = f"stopped by an error that was not foreseen: {line}"
        file = _log_traceback(error, text) or (_write_traceback(error) if speaks else "")
        line += f"; its traceback is in {file}" if file else ""
    if speaks:
        print(f"error: {line}", file=sys.stderr, flush=True)
    end_children()
    return USERS if record.for_user else UNFORESEEN


def _log_traceback(error: BaseException, text: str) -> str:
    """Write the text and the traceback to log.txt, not to the terminal.

    Returns the file's name; empty if there is none.
    """
    name = ""
    for handler in logger.handlers:  # not by the logger: progress bars change who writes what
        if isinstance(handler, logging.FileHandler):
            trace = (type(error), error, error.__traceback__)
            record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, text, (), trace)
            handler.handle(record)
            name = handler.baseFilename
    return name


def _write_traceback(error: BaseException) -> str:
    """Write the traceback to a file of its own and return its name; empty if it can't be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="glore_video-", suffix=".txt", encoding="utf-8", delete=False
        ) as file:
            file.write("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    except OSError:
        return ""
    return file.name


def end_children(seconds: float = waiting_times.ASK) -> None:
    """End all processes that multiprocessing has started here, also those that hang.

    Otherwise Python waits for them as it ends, for each one in turn.
    """
    children = multiprocessing.active_children()
    if not children:
        return
    # torch would raise an error here for each reading worker that a signal has ended.
    quiet = threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD")
    previous = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if quiet else None
    try:
        end_processes(children, seconds)
    finally:
        if quiet:
            signal.signal(signal.SIGCHLD, previous)


def end_processes(processes: Sequence[BaseProcess], seconds: float) -> None:
    """Ask them to end; kill those that have not after so long."""
    for process in processes:
        process.terminate()
    _join(processes, seconds)
    for process in processes:
        process.kill()
    _join(processes, waiting_times.KILL)


def _join(processes: Sequence[BaseProcess], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))


def end_anyway() -> None:
    """Have this process end with status 1 in a second, whatever it hangs in by then."""
    faulthandler.dump_traceback_later(
        waiting_times.EXIT, exit=True, file=os.open(os.devnull, os.O_WRONLY)
    )
