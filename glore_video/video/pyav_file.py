"""Opening a file with PyAV, its one video stream, and reasons of failures."""

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from .errors import VideoError


def reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def open_container(path: str) -> tuple[InputContainer, VideoStream]:
    """The file at its start and its video stream with a fresh decoder; close the container.

    Raises VideoError if it can't be opened or has no video that can be decoded.
    """
    try:
        # "file:" keeps FFmpeg from taking "a:b.mp4" for a protocol a.
        container = av.open(f"file:{path}", metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(path, f"can't be opened as video: {reason(error)}") from None
    try:
        stream = container.streams.best("video")
        if stream is None or stream.disposition & Disposition.attached_pic:
            raise VideoError(path, "has no video stream")
        if not isinstance(stream, VideoStream) or stream.codec_context is None:
            raise VideoError(path, "no decoder for its video stream")
        stream.codec_context.thread_count = 1  # more gain nothing beside worker processes
    except BaseException:
        container.close()
        raise
    return container, stream
