"""The one error that every reader raises about a file, and what a strange file may raise beside it."""

from glore_video.errors import SampleError


class VideoError(SampleError):
    """A video that can't be read; its message is "<path>: <reason>". Survives pickling."""


def faults_of_a_file() -> tuple[type[Exception], ...]:
    """Kinds of errors that a strange file may cause in code that knows no such file.

    They come of FFmpeg, the system and numbers that can't be. What is not among them, TypeError say,
    is a fault of the code or of its installation, and would meet the next file too.
    """
    from av.error import FFmpegError  # whoever asks has a decoder loaded

    return (VideoError, FFmpegError, OSError, ValueError, ArithmeticError, EOFError, MemoryError)
