"""What FFmpeg's decoders say while they decode (its log), heard for the time of a call.

How loud FFmpeg's log is holds for a whole process: the last of the threads that listen puts it back.
"""

import os
from threading import Lock

import av
from av.packet import Packet
from av.video.frame import VideoFrame

Message = tuple[int, str]
"""FFmpeg's level, lower is worse, and the text."""


class _Loudness:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """In a forked process: nobody listens there yet."""
        self._lock = Lock()
        self._listeners = 0
        self._before: tuple[int | None, bool] = (None, True)

    def __enter__(self) -> None:
        with self._lock:
            if not self._listeners:
                self._before = av.logging.get_level(), av.logging.get_skip_repeated()
                av.logging.set_skip_repeated(False)
                av.logging.set_level(av.logging.INFO)
            self._listeners += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._listeners -= 1
            if not self._listeners:
                level, skip = self._before
                av.logging.set_level(level)
                av.logging.set_skip_repeated(skip)


_loudness = _Loudness()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loudness.forget)


def decode_and_listen(
    packet: Packet,
) -> tuple[list[VideoFrame], av.error.FFmpegError | None, list[Message]]:
    """Frames that come out of the decoder now, its error if it raises one, and what it says.

    The stream must decode with one thread: others are not heard.
    """
    frames: list[VideoFrame] = []
    error = None
    with _loudness, av.logging.Capture() as told:
        try:
            frames = [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except av.error.FFmpegError as raised:
            error = raised
    return frames, error, [(level, text.strip()) for level, _, text in told] if told else []
