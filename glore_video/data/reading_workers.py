"""The worker processes of a loader: how they start, what they do about signals, how they fail and end."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import queues
from multiprocessing.context import BaseContext
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch.utils.data import Dataset, get_worker_info

from glore_video.errors import UsageError
from glore_video.processes import torch_words
from glore_video.processes.forked_child import die_with_parent
from glore_video.processes.records import Record, join_records, leave, note_sample
from glore_video.processes.stop_signals import ignore_stop_signals, signals_held_back

if sys.platform == "linux":
    from multiprocessing.context import ForkContext, ForkProcess
    from multiprocessing.popen_fork import Popen

    class _KilledPopen(Popen):
        """Of a process that has nothing to lose, and ignores SIGTERM."""

        def terminate(self) -> None:
            self.kill()

    class _Worker(ForkProcess):
        @staticmethod
        def _Popen(process_obj: Any) -> Any:  # noqa: N802
            return _KilledPopen(process_obj)

        def start(self) -> None:
            with signals_held_back():  # what a handler raises then finds a process that is known
                super().start()

    class _Context(ForkContext):
        Process = _Worker


def reading_context() -> BaseContext:
    """How workers start: by fork where that is sound.

    Not as multiprocessing does by default: in a process that was spawned, its workers would be
    spawned too, each of which imports everything anew and has a copy of the list.
    """
    return _Context() if sys.platform == "linux" else multiprocessing.get_context()


def start_worker(records: Path, worker: int) -> None:
    """One computing thread a worker; signals are the trainer's to answer, with whom it dies.

    Args:
        records: what open_records gave the trainer.
    """
    join_records(records)
    if sys.platform == "linux":
        ignore_stop_signals()
        die_with_parent()
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Of multiprocessing's thread that hands tensors over, when the trainer has stopped taking them.
    sys.excepthook = _all_but_lost_connections

    def feeder_failed(error: Exception, batch: object) -> None:
        """What multiprocessing calls when its thread could not send a batch, and would only print."""
        if not isinstance(error, _LOST_CONNECTIONS):
            leave(Record.of(in_words(error), f"reading worker {worker}"))
            os._exit(1)

    queues.Queue._on_queue_feeder_error = staticmethod(feeder_failed)  # type: ignore[attr-defined]
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def ending_its_worker(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function gives. In a reading worker its error ends the worker, which leaves a record.

    torch hands batches out in their order, so that an error in one would wait for the batches before
    it, of which one may hang. The death of a worker it tells at once.
    """
    __tracebackhide__ = True
    try:
        return function(*arguments)
    except Exception as error:
        worker = get_worker_info()
        if worker is None or not leave(Record.of(error, f"reading worker {worker.id}")):
            raise
        os._exit(1)


class Watched(Dataset[Any]):
    """A data set whose errors end the worker that reads it; else it is as it was.

    An error knows which item was being read, unless it knows the file.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, key: Any) -> Any:
        __tracebackhide__ = True
        return ending_its_worker(self._item, key)

    def _item(self, key: Any) -> Any:
        __tracebackhide__ = True
        try:
            return self.dataset[key]
        except Exception as error:
            note_sample(error, f"item {key}")
            raise

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # as pickle asks for, before there is a data set
            raise AttributeError(name)
        return getattr(self.dataset, name)


_LOST_CONNECTIONS = (ConnectionError, EOFError)


def in_words(error: Exception) -> Exception:
    """Why a batch could not be sent to the trainer, if the user can mend it; else the error."""
    if torch_words.is_path_too_long(error):
        mended = UsageError(
            f"TMPDIR = {tempfile.gettempdir()}: this path is too long for the sockets by which "
            "reading workers send their batches; set TMPDIR to a shorter one, such as /tmp"
        )
    elif torch_words.is_without_shared_memory(error):
        free = ""
        with suppress(OSError):
            free = f" ({shutil.disk_usage('/dev/shm').free / 1e6:.0f} MB free in /dev/shm)"
        mended = UsageError(
            f"a reading worker found no shared memory for a batch{free}: enlarge /dev/shm (docker run "
            "--shm-size), or use fewer workers (DATA_LOADER.NUM_WORKERS; 0 needs none) or smaller "
            "batches"
        )
    elif getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE):
        mended = UsageError(
            "too many open files for the batches of reading workers: raise the limit (ulimit -n), or "
            "use fewer workers (DATA_LOADER.NUM_WORKERS)"
        )
    else:
        return error
    mended.__cause__ = error
    return mended


def _all_but_lost_connections(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, _LOST_CONNECTIONS):
        sys.__excepthook__(kind, error, trace)
