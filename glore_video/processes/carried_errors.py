"""Errors of other processes: carried over whole, with the place in our code and the video."""

from __future__ import annotations

import functools
import os
import pickle
import re
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parents[1]
_OURS = (str(_PACKAGE) + os.sep, str(_PACKAGE.parent / "tools") + os.sep)
_HANDING_ON = ("forked_child.py", "carried_errors.py", "cli/guarding.py")  # call what others wrote
_FRAME = re.compile(r'^ *File "(.+)", line (\d+), in (.+)$', re.MULTILINE)
_VIDEO = "_glore_video_path"
_MOST_TEXT = 30_000  # below what a pipe holds: writing it waits for nobody


class RemoteError(Exception):
    """The cause of an error that was raised in another process.

    Attributes:
        trace: its traceback there.
        what: its type and message.
        place: where it was raised, see place_of.
        who: the process.
    """

    def __init__(self, trace: str, what: str = "", place: str = "", who: str = "") -> None:
        super().__init__(trace, what, place, who)
        self.trace, self.what, self.place, self.who = trace, what, place, who

    def __str__(self) -> str:
        return f"\n{self.trace}"


def what_of(error: BaseException) -> str:
    """Type and message, in one line."""
    cause = error.__cause__
    if isinstance(cause, RemoteError) and cause.what:
        return cause.what
    if isinstance(error, SilentEndError):
        return str(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])[:500]


def place_of(error: BaseException) -> str:
    """File, line and function: the innermost that is ours, or if none is, the innermost."""
    cause = error.__cause__
    if isinstance(cause, RemoteError) and cause.place:
        return cause.place
    if isinstance(error, SilentEndError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    return _innermost([(frame.filename, frame.lineno, frame.name) for frame in frames])


def place_in(trace: str) -> str:
    """As place_of, of the last traceback in a text."""
    last = trace.rpartition("Traceback (most recent call last):\n")[2]
    return _innermost(_FRAME.findall(last))


def _innermost(frames: list[Any]) -> str:
    for file, line, function in [*filter(_is_ours, frames)][-1:] or frames[-1:]:
        shown = os.path.relpath(file, _PACKAGE.parent) if _is_ours((file,)) else file
        return f"{shown}:{line} in {function}"
    return ""


def _is_ours(frame: tuple[Any, ...]) -> bool:
    return str(frame[0]).startswith(_OURS) and not str(frame[0]).endswith(_HANDING_ON)


def set_video(error: BaseException, path: str) -> None:
    """Note which video was being worked on, if that is not noted yet."""
    error.__dict__.setdefault(_VIDEO, path)


def video_of(error: BaseException) -> str:
    """See set_video; empty if it is not known."""
    return str(error.__dict__.get(_VIDEO, ""))


def pack_error(error: BaseException) -> bytes:
    """An error with its traceback, for unpack_error in another process."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    told = (trace[-_MOST_TEXT:], what_of(error), place_of(error), video_of(error))
    if isinstance(error, Exception):
        try:
            data = pickle.dumps((error, *told))
            pickle.loads(data)  # some errors can be written and not read
            if len(data) < 2 * _MOST_TEXT:
                return data
        except Exception:  # whatever an error's own methods raise: it is told as text
            pass
    return pickle.dumps((RuntimeError(what_of(error)), *told))


def unpack_error(data: bytes, who: str) -> Exception:
    """The error, with a RemoteError as its cause; RuntimeError in place of one that can't be sent.

    Args:
        who: which process it was, in words.
    """
    error: Exception
    error, trace, what, place, video = pickle.loads(data)
    if video:
        set_video(error, video)
    error.__cause__ = RemoteError(trace, what, place, who)
    return error


class SilentEndError(RuntimeError):
    """A process of the run ended, or hangs, and did not say why; the message says what to do."""


class Reports:
    """How the worker processes of a loader tell of an error that ends the run.

    torch hands batches out in their order, so that an error in one waits for the batches before it,
    of which one may hang. So a worker sends its error here and dies, which torch tells at once.

    Args:
        pipe: a new multiprocessing.SimpleQueue.
    """

    _in_this_worker: ClassVar[Reports | None] = None
    _open: ClassVar[weakref.WeakSet[Reports]] = weakref.WeakSet()

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        Reports._open.add(self)

    def begin(self) -> None:
        """In a worker: errors in functions that are `reported` go here from now on."""
        Reports._in_this_worker = self

    def send(self, error: Exception, who: str) -> None:
        self._pipe.put((pack_error(error), who))

    @classmethod
    def waiting(cls) -> bool:
        """Whether a worker of this process has sent an error that was not taken yet."""
        return any(not each._pipe.empty() for each in list(cls._open))

    @classmethod
    def take(cls) -> Exception | None:
        """An error that a worker of this process has sent, once."""
        for each in list(cls._open):
            if not each._pipe.empty():
                return unpack_error(*each._pipe.get())
        return None


def reported(function: Function) -> Function:
    """A decorator: in a reading worker, an error of the function is reported and ends the worker."""

    @functools.wraps(function)
    def careful(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except Exception as error:
            from torch.utils.data import get_worker_info  # commands import this module before torch

            worker, reports = get_worker_info(), Reports._in_this_worker
            if worker is None or reports is None:
                raise
            reports.send(error, f"reading worker {worker.id}")
            os._exit(1)

    return careful  # type: ignore[return-value]


def raise_in_place_of(error: Exception) -> NoReturn:
    """Raise what is behind an error that a DataLoader has raised: the worker's own, or how it died."""
    found = behind(error)
    if found is error:
        raise error
    raise found from found.__cause__


def behind(error: Exception) -> Exception:
    """See raise_in_place_of; the error itself if there is nothing behind it."""
    text = str(error)
    if text.startswith("Caught ") and "\nOriginal " in text:  # torch's text of a worker's error
        head, _, trace = text.partition("\nOriginal ")
        what = trace.strip().rpartition("\n")[2]
        if not isinstance(error.__cause__, RemoteError):
            who = head.rstrip(".").rpartition(" in ")[2]
            error.__cause__ = RemoteError(trace, what, place_in(trace), who)
        return error
    if not (isinstance(error, RuntimeError) and text.startswith("DataLoader ")):
        return error
    return Reports.take() or _how_it_died(f"{error.__cause__ or ''}") or _how_it_died(text) or error


def _how_it_died(text: str) -> SilentEndError | None:
    """Of torch's words for the death of a worker."""
    found = re.match(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (.*)", text)
    if found is None:
        if not text.startswith("DataLoader timed out after "):
            return None
        seconds = text.split()[4]
        return SilentEndError(
            f"no reading worker has given anything for {seconds} s: they hang, or the disk does"
        )
    who, how = f"a reading worker (process {found[1]})", found[2]
    if "Bus error" in how:
        return SilentEndError(
            f"{who} found no shared memory: enlarge /dev/shm (docker run --shm-size), or use fewer "
            "workers or smaller batches"
        )
    if signal := re.search(r"killed by signal: ([\w ]+)", how):
        advice = (
            ": where the machine ran out of memory (see dmesg), use fewer workers or smaller batches"
            if signal[1] == "Killed"
            else ""
        )
        return SilentEndError(f"{who} was killed by a signal ({signal[1]}){advice}")
    status = re.search(r"exit code (\d+)", how)
    ended = f"ended with exit status {status[1]}" if status else "ended"
    return SilentEndError(f"{who} {ended} and did not say why")
