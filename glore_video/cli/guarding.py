"""How a command ends: exit statuses, and one line for an error."""

from __future__ import annotations

import sys
from collections.abc import Callable

from glore_video.cli.startup import say_when_imported
from glore_video.processes.ending import end_at, end_children
from glore_video.processes.records import behind
from glore_video.processes.stop_signals import StoppedBySignal
from glore_video.processes.streams import READER_GONE, reader_is_gone
from glore_video.processes.torch_words import is_lost_connection


def guarded(action: Callable[[], int], *, tell: Callable[[str], bool] = lambda line: True) -> int:
    """Run the action. A user's error is one line on stderr and status 2, Ctrl-C status 130.

    What counts as a user's is said in errors.py.

    Any other error was not foreseen: one line, status 1, and no process that was started here goes
    on. The traceback goes to log.txt, or for such an error to a file of its own if there is no log.

    Args:
        tell: of a process that is not the only one: is called with the line of an error, empty if it
            is asked to stop, hands it on and says whether this process is the one to speak.
    """
    __tracebackhide__ = True
    say_when_imported()
    try:
        return action()
    except KeyboardInterrupt as stop:
        by_signal = isinstance(stop, StoppedBySignal)
        if tell(""):
            print(stop if by_signal else "interrupted", file=sys.stderr)
        end_children()
        return stop.exit_status if isinstance(stop, StoppedBySignal) else 130
    except Exception as error:
        if is_lost_connection(error):
            raise  # `launch` speaks of it
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            end_children()
            return READER_GONE
        return end_at(behind(error), tell)
