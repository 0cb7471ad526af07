"""What a run says: lines on the terminal and in log.txt, numbers in metrics.jsonl and tensorboard."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

T = TypeVar("T")
logger = logging.getLogger(__name__)
_FORMAT = logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%Y-%m-%d %H:%M:%S")


def setup_logging(output_dir: Path | None, *, is_main: bool) -> None:
    """Log to stderr, and to output_dir/log.txt; other processes than the main one only errors."""
    logger = logging.getLogger("glore_video")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(_FORMAT)
    terminal.setLevel(logging.INFO if is_main else logging.ERROR)
    logger.addHandler(terminal)
    if output_dir is not None:
        output_dir.mkdir(parents=True, exist_ok=True)
        # Those of others are only opened for what they have to say; lines are appended whole.
        file = logging.FileHandler(output_dir / "log.txt", encoding="utf-8", delay=not is_main)
        file.setFormatter(_FORMAT)
        file.setLevel(logging.DEBUG if is_main else logging.ERROR)
        logger.addHandler(file)


class MetricsLog:
    """Appends one JSON object a line to metrics.jsonl, and the same numbers to tensorboard."""

    def __init__(self, output_dir: Path, *, tensorboard: bool, enabled: bool = True) -> None:
        self._file = None
        self._writer: Any = None
        if not enabled:
            return
        output_dir.mkdir(parents=True, exist_ok=True)
        self._file = (output_dir / "metrics.jsonl").open("a", encoding="utf-8")
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter  # slow to import

            self._writer = SummaryWriter(str(output_dir / "tensorboard"))

    def forget_after(self, step: int) -> None:
        """Drop what a run wrote after this step before it was killed; it will be written again."""
        if self._file is None:
            return
        path = Path(self._file.name)
        kept = [
            line
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
            if line.endswith("\n") and json.loads(line)["step"] <= step
        ]
        self._file.close()
        temporary = path.with_suffix(".tmp")
        temporary.write_text("".join(kept), encoding="utf-8")
        temporary.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def write(self, split: str, *, step: int, **values: Any) -> None:
        if self._file is None:
            return
        from glore_video.evaluation.files import for_json  # with torch, which log lines do without

        self._file.write(json.dumps({"split": split, "step": step, **for_json(values)}) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._writer.add_scalar(f"{split}/{name}", value, step)

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._writer is not None:
            self._writer.close()


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
    elif sys.stderr.isatty():
        with logging_redirect_tqdm([logging.getLogger("glore_video")]):
            yield from tqdm(
                items, total=total, initial=initial, desc=name, leave=False, dynamic_ncols=True
            )
    else:
        spoken = time.monotonic()
        for number, item in enumerate(items, start=initial):
            if time.monotonic() - max(spoken, spoken_at()) > plain_seconds:
                spoken = time.monotonic()
                logger.info("%s: %d of %d", name, number, total)
            yield item
