"""Whether a path is a file that can be read from start to end."""

from __future__ import annotations

import os
import stat


def why_unreadable(path: str | os.PathLike[str]) -> str:
    """What keeps a path from being a regular file with something in it; "" if nothing does.

    A pipe or device would hang whoever reads it. Whether it may be read, opening it tells.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # Python's words for a null byte differ from version to version
        return "embedded null byte" if "\0" in os.fsdecode(path) else str(error)
    if stat.S_ISDIR(status.st_mode):
        return "is a folder, not a file"
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    return "" if status.st_size else "the file is empty"
