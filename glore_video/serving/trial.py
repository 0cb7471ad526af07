"""Looking into an upload in a process that can be killed: what hangs or crashes it ends there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from glore_video.data.watchdog import Watchdog
from glore_video.video import VideoError, VideoIndex, read_index


class Trial:
    """For one upload after the other; the others wait. Without fork it happens in this process.

    Args:
        seconds: that decoding a whole file may take.
    """

    def __init__(self, seconds: float) -> None:
        self._watchdog = Watchdog(seconds)
        self._lock = threading.Lock()

    def index(self, upload: Path, *, decode: bool) -> VideoIndex:
        """What the file holds, of its packets alone or after decoding all of it.

        Raises SampleError if it can't be read, is damaged, takes too long or crashes the decoder.
        """
        path = str(upload)
        with self._lock:
            if not hasattr(os, "fork"):
                index = read_index(path, decode=decode)
            else:
                index = VideoIndex.from_bytes(self._watchdog.call(_read, path, path, decode))
        if index.damage:
            raise VideoError(path, f"{index.damage}; {index.num_frames} frames are whole")
        return index

    def close(self) -> None:
        with self._lock:
            self._watchdog.close()


def _read(path: str, decode: bool) -> bytes:
    return read_index(path, decode=decode).to_bytes()
