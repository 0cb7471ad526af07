"""Standard streams of a command: closed ones, encodings that lack letters, readers that leave early."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO, cast

READER_GONE = 141
"""Exit status of a program whose output nobody reads any more, as SIGPIPE's in a shell."""


def as_command(main: Callable[[], int]) -> int:
    """What `main` returns, for sys.exit, with streams that take whatever is written to them.

    - stdout or stderr that is closed, as of a service or of pythonw, leads nowhere.
    - Letters that a stream's encoding lacks are written as \\xe9.
    - Where the reader of the output ends first, as `head` does, the command ends silently with
      status 141.
    """
    make_writable()
    try:
        status = _status_of(main)
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        if not reader_is_gone():
            raise
        status = READER_GONE
    return status


def make_writable() -> None:
    """See as_command."""
    # A file that is opened later must not get the number of a standard stream: C libraries write
    # their messages there.
    with suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(number, True)
        os.close(number)
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  until the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def reader_is_gone() -> bool:
    """Whether nobody reads stdout or stderr any more; what is written to such a one is lost then."""
    gone = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
    for stream in gone:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # or Python would try again as it ends
        os.close(nowhere)
    return bool(gone)


def _has_no_reader(stream: TextIO) -> bool:
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()  # where nothing was left to flush, as under python -u
    try:
        poll.register(stream.fileno(), 0)
    except (OSError, ValueError):  # not a file
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether it is there, and a terminal."""
    return stream is not None and stream.isatty()


def json_line(value: Any) -> str:
    """JSON to print, with the letters that stdout takes."""
    text = json.dumps(value, ensure_ascii=False)
    return text if takes(text, sys.stdout) else json.dumps(value)


def takes(text: str, stream: TextIO | None) -> bool:
    """Whether the encoding of a stream has all letters of a text."""
    try:
        text.encode((stream and stream.encoding) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _status_of(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:  # of argparse, which has written what it says
        return cast("int", end.code or 0)
    except KeyboardInterrupt:  # before the command has begun
        print("interrupted", file=sys.stderr)
        return 130
