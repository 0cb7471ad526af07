"""How a command ends: exit statuses, and one line for an error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from glore_video.cli.startup import say_when_imported
from glore_video.engine.interruption import StoppedBySignal
from glore_video.errors import NO_SPACE, is_users
from glore_video.processes.carried_errors import behind, place_of, what_of
from glore_video.processes.ending import end_children, end_unforeseen, log_traceback
from glore_video.processes.streams import READER_GONE, reader_is_gone


def guarded(
    action: Callable[[], int],
    *,
    wait: float = 0.0,
    tell: Callable[[str], bool] = lambda line: True,
) -> int:
    """Run the action. A user's error is one line on stderr and status 2, Ctrl-C status 130.

    What counts as a user's is said in errors.py.

    Any other error was not foreseen: one line, status 1, and no process that was started here goes
    on. The traceback goes to log.txt, or for such an error to a file of its own if there is no log.

    Of a process that is not the only one, `wait` gives another some seconds to say the same as it
    and end the run, and `tell` hands an unforeseen error on and says whether it is the first.
    """
    say_when_imported()
    try:
        return action()
    except StoppedBySignal as stop:
        time.sleep(wait)
        print(stop, file=sys.stderr)
        end_children()
        return stop.exit_status
    except KeyboardInterrupt:
        time.sleep(wait)
        print("interrupted", file=sys.stderr)
        end_children()
        return 130
    except Exception as raised:
        if _is_lost_connection(raised):
            raise  # `launch` speaks of it
        if isinstance(raised, BrokenPipeError) and reader_is_gone():
            end_children()
            return READER_GONE
        error = behind(raised)
        if not is_users(error):
            return end_unforeseen(error, tell)
        time.sleep(wait)
        print(f"error: {_in_words(error)}", file=sys.stderr)
        log_traceback(error, "stopped here")
        end_children()
        return 2


def _in_words(error: Exception) -> str:
    text = str(error)
    if text.startswith("Caught "):  # torch's, of another process
        return what_of(error)
    if isinstance(error, OSError) and error.filename is None and error.errno in NO_SPACE:
        return f"{error.strerror or text} ({place_of(error)})"
    return text


def _is_lost_connection(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return False  # an error in the configuration, say, which does not wait for torch
    from glore_video.engine.launch.processes import is_lost_connection

    return is_lost_connection(error)
