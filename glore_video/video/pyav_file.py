"""What all uses of PyAV share: opening a file, reasons of failures."""

from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from .errors import VideoError

# FFmpeg's names of what holds video by itself. Playlists and scripts (HLS, DASH, concat, lavfi, ...)
# are not followed: a file from a stranger could name other files of this machine in them.
_CONTAINERS = ",".join(
    """
    mov matroska avi mpegts mpeg mpegvideo flv asf ogg h264 hevc vvc av1 obu ivf m4v h263 vc1 dirac
    mxf nut yuv4mpegpipe gif rm dv mjpeg wtv swf amv nsv live_flv xwma
    """.split()
)


# Text in a file's metadata may be in any encoding. PyAV 19 always keeps such bytes as surrogates; before
# it they were an error, if not told otherwise.
_ANY_TEXT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


def reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def fraction(rational: Any) -> Fraction:
    """A rate or time base of PyAV, from PyAV 19 on a type of its own, as Python's fraction."""
    return Fraction(rational.numerator, rational.denominator)


def open_input(path: str) -> InputContainer:
    """A file that holds video by itself, whatever text is in it. Close it.

    Raises FFmpegError, OSError or ValueError.
    """
    # "file:" keeps FFmpeg from taking "a:b.mp4" for a protocol a.
    return av.open(f"file:{path}", options={"format_whitelist": _CONTAINERS}, **_ANY_TEXT)


def open_device(name: str, format: str | None) -> InputContainer:
    """A camera by FFmpeg's name of it, or whatever else the input format `format` opens. Close it.

    Raises FFmpegError, OSError or ValueError.
    """
    return av.open(name, format=format, **_ANY_TEXT)


def open_container(path: str, *, lenient: bool = False) -> tuple[InputContainer, VideoStream]:
    """The file at its start and its video stream with a fresh decoder; close the container.

    lenient: the decoder raises only at what it can't decode at all; see decoding.PacketDecoder.

    Raises VideoError if it can't be opened or has no video that can be decoded.
    """
    try:
        container = open_input(path)
    except av.error.ArgumentError:
        raise VideoError(path, "can't be opened as video: not a container of videos") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(path, f"can't be opened as video: {reason(error)}") from None
    try:
        stream = container.streams.best("video")
        if stream is None or stream.disposition & Disposition.attached_pic:
            raise VideoError(path, "has no video stream")
        if not isinstance(stream, VideoStream) or stream.codec_context is None:
            raise VideoError(path, "no decoder for its video stream")
        stream.codec_context.thread_count = 1  # more gain nothing beside worker processes
        # Otherwise decoders paint over damage with what happens to lie in memory, and don't tell.
        if not lenient:
            stream.codec_context.options = {"err_detect": "explode"}
    except BaseException:
        container.close()
        raise
    return container, stream
