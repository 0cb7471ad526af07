"""No silence: after ten seconds without a word, the log says what is waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from glore_video.engine.launch.activity import Activity

logger = logging.getLogger(__name__)

_LONGEST = 300.0
_last_word = 0.0


class Ear(logging.Handler):
    """Hears when something was said last. What this module says does not count."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != __name__:
            heard()


def heard() -> None:
    """Something was said, or a bar has moved."""
    global _last_word  # one terminal, one silence
    _last_word = time.monotonic()


@contextmanager
def speaking_up(activity: Activity, *, seconds: float = 10.0) -> Iterator[None]:
    """Within it, a thread logs what this process does when nothing was said for so many seconds.

    It does so again after twice as long, and so on, up to five minutes.
    """
    stopped = threading.Event()

    def watch() -> None:
        said_at, pause, word = time.monotonic(), seconds, _last_word
        while not stopped.wait(min(0.5, seconds / 4)):
            now = time.monotonic()
            if word != _last_word:
                said_at, pause, word = _last_word, seconds, _last_word
            if now - said_at >= pause:
                said_at, pause = now, min(2 * pause, _LONGEST)
                logger.info("now: %s, for %.0f s", activity.report(0, ""), activity.seconds())

    thread = threading.Thread(target=watch, name="speaking up", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
