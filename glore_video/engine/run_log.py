"""What a run says: lines on the terminal and in log.txt, numbers in metrics.jsonl and tensorboard."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from glore_video.engine.launch.waiting import Ear, heard
from glore_video.errors import writing
from glore_video.processes.streams import is_terminal

T = TypeVar("T")
logger = logging.getLogger(__name__)
_FORMAT = logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%Y-%m-%d %H:%M:%S")


def setup_logging(output_dir: Path | None, *, is_main: bool) -> None:
    """Log to stderr, and to output_dir/log.txt; other processes than the main one only errors.

    Without output_dir, log.txt gets what was said until then as soon as it is known.
    """
    logger = logging.getLogger("glore_video")
    said: list[logging.LogRecord] = []
    for handler in list(logger.handlers):
        if isinstance(handler, _Held):
            said = handler.buffer
            handler.buffer = []
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(_FORMAT)
    terminal.setLevel(logging.INFO if is_main else logging.ERROR)
    logger.addHandler(terminal)
    logger.addHandler(Ear(terminal.level))
    if output_dir is None:
        held = _Held(capacity=10_000)
        held.setLevel(logging.DEBUG if is_main else logging.ERROR)
        logger.addHandler(held)
        return
    output_dir.mkdir(parents=True, exist_ok=True)
    # Those of others are only opened for what they have to say; lines are appended whole.
    file = _LogFile(output_dir / "log.txt", encoding="utf-8", delay=not is_main)
    file.setFormatter(_FORMAT)
    file.setLevel(logging.DEBUG if is_main else logging.ERROR)
    for record in said:
        file.handle(record)
    logger.addHandler(file)


class _Held(logging.handlers.BufferingHandler):
    """Keeps the first records, for a file that is not known yet."""

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.buffer) < self.capacity:
            self.buffer.append(record)


class _LogFile(logging.FileHandler):
    """A log file that says once that it can't be written, and lets the run go on."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            reason = error.strerror or error
            self._say(f"{self.baseFilename} can't be written: {reason}; the run goes on")

    def _say(self, line: str) -> None:
        """To the other handlers: the logger would come back here."""
        record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, line, (), None)
        for handler in logging.getLogger("glore_video").handlers:
            if handler is not self and record.levelno >= handler.level:
                handler.handle(record)

    def close(self) -> None:
        with suppress(OSError):  # it has been said
            super().close()


class MetricsLog:
    """Appends one JSON object a line to metrics.jsonl, and the same numbers to tensorboard.

    What can't be written waits, is said once, and is written with what follows; if it can't be
    written at the end either, leaving the `with` statement raises FileError.
    """

    def __init__(self, output_dir: Path, *, tensorboard: bool, enabled: bool = True) -> None:
        self._file: IO[bytes] | None = None
        self._waiting = b""  # lines that could not be written yet
        self._failing = False
        self._writer: Any = None
        if not enabled:
            return
        output_dir.mkdir(parents=True, exist_ok=True)
        self._file = _unbuffered(output_dir / "metrics.jsonl")
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter  # slow to import

            self._writer = SummaryWriter(str(output_dir / "tensorboard"))

    def forget_after(self, step: int) -> None:
        """Drop what a run wrote after this step before it was killed; it will be written again."""
        if self._file is None:
            return
        from glore_video.files.whole_files import replace_file  # whose package loads torch

        path = Path(self._file.name)
        kept, unreadable = [], 0
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                early = json.loads(line)["step"] <= step
            except (ValueError, KeyError, TypeError):  # the end of what a killed run wrote
                unreadable += line.endswith(b"\n")
            else:
                if early and line.endswith(b"\n"):
                    kept.append(line)
        if unreadable:
            logger.warning("%s: %d damaged lines are dropped", path, unreadable)
        self._file.close()
        replace_file(path, b"".join(kept))
        self._file = _unbuffered(path)

    def write(self, split: str, *, step: int, **values: Any) -> None:
        if self._file is None:
            return
        from glore_video.files.whole_files import for_json  # with torch, which log lines do without

        line = json.dumps({"split": split, "step": step, **for_json(values)}) + "\n"
        self._waiting += line.encode()
        try:
            self._write_waiting()
            if self._writer is not None:
                with writing(self._writer.log_dir):
                    for name, value in values.items():
                        if isinstance(value, (int, float)):
                            self._writer.add_scalar(f"{split}/{name}", value, step)
            self._failing = False
        except OSError as error:
            if not self._failing:
                logger.error("%s; the run goes on", error)
            self._failing = True

    def _write_waiting(self) -> None:
        assert self._file is not None
        with writing(self._file.name):
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) :]

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        try:
            if error is None:
                self._write_waiting()
                if self._writer is not None:
                    with writing(self._writer.log_dir):
                        self._writer.close()
        finally:
            self._file.close()


def _unbuffered(path: Path) -> IO[bytes]:
    """So that what was not written is known, and nothing is written twice."""
    return path.open("ab", buffering=0)


def progress(
    items: Iterable[T],
    *,
    total: int,
    name: str,
    is_main: bool,
    initial: int = 0,
    plain_seconds: float = 30.0,
    spoken_at: Callable[[], float] = lambda: 0.0,
) -> Iterator[T]:
    """The items, with a bar on a terminal; log lines pass above it.

    Elsewhere a log line comes every `plain_seconds`, unless another one came since: `spoken_at` is
    the time of the latest, by time.monotonic(). `initial` of the `total` are done before the first.
    """
    if not is_main:
        yield from items
    elif is_terminal(sys.stderr):
        with logging_redirect_tqdm([logging.getLogger("glore_video")]):
            for item in tqdm(
                items, total=total, initial=initial, desc=name, leave=False, dynamic_ncols=True
            ):
                heard()
                yield item
    else:
        spoken = time.monotonic()
        for number, item in enumerate(items, start=initial):
            if time.monotonic() - max(spoken, spoken_at()) > plain_seconds:
                spoken = time.monotonic()
                logger.info("%s: %d of %d", name, number, total)
            yield item
