"""Errors of users, and their words: the key of the configuration or the flag that mends them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

NO_SPACE = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""What the system says of a full disk, and of a limit on what may be written."""


class UsageError(ValueError):
    """What the user can mend; the message names the key or file, the value and what is allowed.

    The command line prints it in one line and ends with status 2. A bare ValueError is raised by
    Python and by libraries where the code is wrong: nobody foresaw it.
    """


class MissingFileError(UsageError, FileNotFoundError):
    """A file or folder that the user named is not there; the message says which, and what would do."""


class FileError(UsageError, OSError):
    """A file that the system does not let us read or write; the message says which, and what would do."""


Failure = tuple[str, str]
"""A sample's path, and why it can't be read."""


class SampleError(RuntimeError):
    """A sample (video, picture) that can't be read; its message is "<path>: <reason>". Survives pickling.

    Attributes:
        path: the file, as a string.
        reason: what is wrong with it, without the path.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        self.path = os.fspath(path)
        self.reason = reason
        super().__init__(self.path, reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def is_users(error: BaseException) -> bool:
    """Whether the user can mend an error.

    Ours for users, a sample that can't be read, an error of the system that names a file, a full disk.
    """
    return isinstance(error, (UsageError, SampleError)) or (
        isinstance(error, OSError) and (error.filename is not None or error.errno in NO_SPACE)
    )


@contextmanager
def naming(name: str) -> Iterator[None]:
    """A user's error within it is raised anew with this in front: "GLORE.LOCATION = [[[9]]]: ...".

    For errors whose words say what is wrong and not where it was asked for, of functions that are
    called from Python too.
    """
    try:
        yield
    except MissingFileError as error:
        raise MissingFileError(f"{name}: {error}") from None
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


@contextmanager
def writing(path: object) -> Iterator[None]:
    """An error of the system within it that names no file, as of a full disk, names this one.

    It is raised as FileError.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, UsageError) or error.filename is not None:
            raise
        mended = FileError(f"{path} could not be written: {error.strerror or error}")
        mended.errno = error.errno
        raise mended from error


def load_failure(error: Exception) -> str:
    """Why torch.load failed, without its advice to run what is in the file."""
    if isinstance(error, EOFError):
        return "it is empty or cut off"
    reason = str(error).strip().partition("\n")[0]
    # Of other files its unpickler raises whatever their bytes lead to, such as an IndexError.
    if not isinstance(error, (RuntimeError, OSError)) or "weights_only" in reason:
        return "it is damaged, or was not written by torch.save"
    return reason if " " in reason else f"{type(error).__name__} {reason}".strip()
