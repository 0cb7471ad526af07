"""How a command ends at an error that nobody foresaw: one line, the traceback in a file, no process left."""

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
from collections.abc import Callable

from glore_video.processes.carried_errors import RemoteError, place_of, video_of, what_of

logger = logging.getLogger("glore_video")

UNFORESEEN = 1
"""Exit status of such an end."""
_SECONDS_TO_LEAVE = 1.0


def line_of(error: BaseException) -> str:
    """What happened, where, in which process and at which video."""
    cause = error.__cause__
    who = cause.who if isinstance(cause, RemoteError) else ""
    where = "; ".join(part for part in (place_of(error), who, video_of(error)) if part)
    return f"{what_of(error)} ({where})" if where else what_of(error)


def log_traceback(error: BaseException, text: str) -> str:
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


def end_unforeseen(error: BaseException, tell: Callable[[str], bool]) -> int:
    """Say in one line what happened, keep the traceback, and end this process' children.

    Args:
        tell: called with the line; False: another process of the run has spoken already.

    Returns the exit status.
    """
    line = line_of(error)
    speaks = tell(line)
    file = log_traceback(error, f"stopped by an error that was not foreseen: {line}")
    if speaks:
        file = file or _write_traceback(error)
        where = f"; its traceback is in {file}" if file else ""
        print(f"error: {line}{where}", file=sys.stderr, flush=True)
    end_children()
    return UNFORESEEN


def end_children(seconds: float = 1.0) -> None:
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
        for child in children:
            child.terminate()
        deadline = time.monotonic() + seconds
        for child in children:
            child.join(max(0.0, deadline - time.monotonic()))
        for child in children:
            if child.is_alive():
                child.kill()
                child.join(seconds)
    finally:
        if quiet:
            signal.signal(signal.SIGCHLD, previous)


def end_anyway() -> None:
    """Have this process end with status 1 in a second, whatever it hangs in by then."""
    faulthandler.dump_traceback_later(
        _SECONDS_TO_LEAVE, exit=True, file=os.open(os.devnull, os.O_WRONLY)
    )
