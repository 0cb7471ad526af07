"""The one way to open a video, and to find out beforehand what it holds."""

import os
from collections.abc import Callable

from glore_video.choices import Backend, Damaged, check_choice
from glore_video.files.regular_files import why_unreadable

from .errors import VideoError
from .reader import VideoReader
from .video_index import FileStamp, VideoIndex


def _check_file(path: str) -> None:
    """Raise VideoError unless path is a regular file with something in it; a pipe would hang."""
    reason = why_unreadable(path)
    if reason:
        raise VideoError(path, reason)


def open_video(
    path: str | os.PathLike[str],
    *,
    backend: Backend = "pyav",
    index: VideoIndex | None = None,
    damaged: Damaged = "error",
) -> VideoReader:
    """Open a video file.

    backend: "pyav" decodes with PyAV. "decord" and "torchcodec" decode with the package of that
    name, which must be installed, the files that it reads right, and the others with PyAV. All
    give the same frames.

    index: of this file, from `read_index`, saves demuxing the file once more. One of another file,
    or of another state of this one, is noticed and not used.

    damaged: what a file that was cut off, or can't be decoded to its end, gives. "error" raises
    VideoError, which says how many frames are whole: at once if the damage is known from the
    packets or the index, otherwise when frames are wanted that can't be decoded. With "use_prefix"
    num_frames counts the frames before the damage that is known. Damage that only decoding finds
    still raises VideoError then; from there on num_frames is smaller, so that other frames can be
    chosen.

    Raises VideoError if there is no such file, or it holds no video that can be read; ValueError
    for an unknown backend or policy; ImportError if the backend's package is not installed.
    """
    check_choice("backend", backend, Backend)
    check_choice("damaged", damaged, Damaged)
    name = os.fspath(path)
    open_file: Callable[..., VideoReader]
    # Decoders are imported when the first video is opened, so that this package is light to import.
    if backend == "decord":
        from .decord_backend import DecordReader

        open_file = DecordReader.open
    elif backend == "torchcodec":
        from .torchcodec_backend import TorchcodecReader

        open_file = TorchcodecReader.open
    else:
        from .pyav_backend import PyavReader

        open_file = PyavReader
    _check_file(name)
    if index is not None and index.file != FileStamp.of(name):
        index = None
    return open_file(name, index=index, damaged=damaged)


def read_index(path: str | os.PathLike[str], *, decode: bool = False) -> VideoIndex:
    """Find out what a video holds, with PyAV, for `open_video` to use later.

    decode: decode every frame and note how far that goes; otherwise only if the packets don't tell
    the frames (MPEG-TS and others). An index of a damaged file says so in `damage`.

    Raises VideoError if there is no such file, or not one frame of it can be decoded.
    """
    name = os.fspath(path)
    from .indexing import make_index

    _check_file(name)
    return make_index(name, decode=decode)
