"""Why a process of the run ended: a record a death, left by who ends, found by who waits for it."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from glore_video.errors import NO_SPACE, UsageError, is_users
from glore_video.processes import torch_words

_PACKAGE = Path(__file__).parents[1]
_OURS = (str(_PACKAGE) + os.sep, str(_PACKAGE.parent / "tools") + os.sep)
_SAMPLE = "_glore_video_sample"
_MOST_TEXT = 30_000
_folder: Path | None = None
_owner = 0


@dataclass(frozen=True)
class Record:
    """Why a process ended, or a call in it failed.

    Attributes:
        what: type and message, in one line; empty of a process that has said it itself.
        place: file, line and function: the innermost that is ours, or if none is, the innermost.
        who: the process; empty if it is the one that speaks.
        sample: what was being read.
        trace: the traceback.
        for_user: what is said of it if the user can mend it; else empty.
    """

    what: str = ""
    place: str = ""
    who: str = ""
    sample: str = ""
    trace: str = ""
    for_user: str = ""

    @classmethod
    def of(cls, error: BaseException, who: str = "") -> Record:
        """Of an error in this process, `who`, or of one that has come here from another."""
        remote = error if isinstance(error, RemoteError) else error.__cause__
        carried = torch_words.carried_over(str(error))
        sample = str(error.__dict__.get(_SAMPLE, ""))
        if isinstance(remote, RemoteError):
            there = remote.record
            record = replace(there, who=who or there.who, sample=sample or there.sample)
        else:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            what = carried or ": ".join([type(error).__name__, *lines[:1]])
            record = cls(what[:500], _place(error), who, sample)
        if error is not remote:
            trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            record = replace(record, trace=trace[-_MOST_TEXT:])
        if is_users(error):
            words = carried or str(error)
            if isinstance(error, OSError) and error.filename is None and error.errno in NO_SPACE:
                words = f"{error.strerror or words} ({record.place})"
            record = replace(record, for_user=words)
        return record

    def __str__(self) -> str:
        """What happened, where, in which process and with which sample."""
        where = "; ".join(part for part in (self.place, self.who, self.sample) if part)
        return self.for_user or (f"{self.what} ({where})" if where else self.what)

    def error(self) -> Exception:
        """To be raised where the process is missed: UsageError if the user can mend it."""
        if not self.for_user:
            return RemoteError(self)
        error = UsageError(self.for_user)
        error.__cause__ = RemoteError(self)
        return error


class RemoteError(RuntimeError):
    """An error that was raised in another process, or the cause of one; or the end of a silent process."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.record = record

    def __str__(self) -> str:
        return f"{self.record.what}\n\n{self.record.trace}".strip()


def note_sample(error: BaseException, sample: str) -> None:
    """Note what was being read when it was raised, if that is not noted yet."""
    error.__dict__.setdefault(_SAMPLE, sample)


def _place(error: BaseException) -> str:
    frames = [
        (frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if "__tracebackhide__"
        not in frame.f_locals  # pytest's mark too: it calls what others wrote
    ]
    ours = [frame for frame in frames if frame[0].startswith(_OURS)]
    for file, line, function in (ours or frames)[-1:]:
        shown = os.path.relpath(file, _PACKAGE.parent) if ours else file
        return f"{shown}:{line} in {function}"
    return ""


def open_records() -> Path:
    """Before processes start here whose deaths are to be explained: where they leave their records.

    A folder of this machine that nobody else may enter, and that goes with this process. Forked
    processes know it; others are told by `join_records`.
    """
    global _folder, _owner
    if _folder is None or not _folder.is_dir():
        _folder, _owner = Path(tempfile.mkdtemp(prefix="glore_video-")), os.getpid()
        atexit.register(close_records)
    return _folder


def join_records(folder: Path) -> None:
    """In a process that was started anew: see open_records."""
    global _folder
    _folder = folder


def close_records() -> None:
    """Remove the folder, if this process has opened it; Python does so at its end."""
    if _folder is not None and _owner == os.getpid():
        shutil.rmtree(_folder, ignore_errors=True)


def leave(record: Record) -> bool:
    """As this process ends, for who waits for it. Returns whether it could be written."""
    if _folder is None:
        return False
    path = _folder / f"{os.getpid()}.json"
    new = path.with_suffix(".new")
    try:
        new.write_text(json.dumps(asdict(record)), encoding="utf-8")
        new.replace(path)
    except OSError:
        return False
    return True


def take(pid: int) -> Record | None:
    """What the process has left, once; None if nothing."""
    if _folder is None:
        return None
    path = _folder / f"{pid}.json"
    record = _read(path)
    path.unlink(missing_ok=True)
    return record


def waiting() -> Record | None:
    """The first error that a process of this machine has left here and nobody has taken."""
    times: dict[Path, float] = {}
    for path in _folder.glob("*.json") if _folder else ():
        with suppress(FileNotFoundError):
            times[path] = path.stat().st_mtime
    records = map(_read, sorted(times, key=times.__getitem__))
    return next((record for record in records if record and record.what), None)


def _read(path: Path) -> Record | None:
    with suppress(FileNotFoundError):
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    return None


def silent_end(who: str, *, status: int | None, signal: str = "", memory: bool = False) -> Record:
    """Of a process that has left no record.

    Args:
        signal: what killed it, as in "SIGKILL"; then status has no meaning.
        memory: whether it may be the system that killed it for its memory.
    """
    if signal:
        advice = ": where the machine ran out of memory (see dmesg), use fewer workers or smaller batches"
        return Record(f"{who} was killed by {signal}{advice if memory else ''}")
    ended = "ended" if status is None else f"ended with exit status {status}"
    return Record(f"{who} {ended} and did not say why")


def behind(error: Exception) -> Exception:
    """The error of a reading worker, or how it died, in place of what torch's loader says of it."""
    texts = (f"{error.__cause__ or ''}", str(error)) if isinstance(error, RuntimeError) else ()
    for text in texts:
        if seconds := torch_words.seconds_without_batches(text):
            reason = "they hang, or the disk does"
            what = f"no reading worker has given anything for {seconds} s: {reason}"
            return Record(what).error()
        if pids := torch_words.dead_workers(text):
            record = next(filter(None, map(take, pids)), None) or _death_of_worker(text, pids)
            return record.error()
    return error


def _death_of_worker(text: str, pids: list[int]) -> Record:
    who = f"a reading worker (process {', '.join(map(str, pids))})"
    killed_by = torch_words.signal_of_death(text)
    if killed_by == "Bus error":
        return Record(
            f"{who} found no shared memory: enlarge /dev/shm (docker run --shm-size), or use fewer "
            "workers or smaller batches"
        )
    status = torch_words.status_of_death(text)
    name = killed_by and f"a signal ({killed_by})"
    return silent_end(who, status=status, signal=name, memory=killed_by == "Killed")
