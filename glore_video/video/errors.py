"""The one error that every reader raises about a file."""

import os


class VideoError(RuntimeError):
    """A video that can't be read; its message is "<path>: <reason>". Survives pickling.

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
