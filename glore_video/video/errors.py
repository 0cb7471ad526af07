"""The one error that every reader raises about a file, and what a strange file may raise beside it."""

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


def faults_of_a_file() -> tuple[type[Exception], ...]:
    """Kinds of errors that a strange file may cause in code that knows no such file.

    They come of FFmpeg, the system and numbers that can't be. What is not among them, TypeError say,
    is a fault of the code or of its installation, and would meet the next file too.
    """
    from av.error import FFmpegError  # whoever asks has a decoder loaded

    return (VideoError, FFmpegError, OSError, ValueError, ArithmeticError, EOFError, MemoryError)
