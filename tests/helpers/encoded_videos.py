"""Small videos encoded with PyAV, in which every frame bears its own number as a barcode."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

HEIGHT, WIDTH = 64, 96
BLOCK = 16  # the barcode: two rows of six blocks, the least significant bit first
BITS = 12


@cache
def picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 (height, width, 3): the number in black and white over a pattern that moves."""
    y, x = np.mgrid[:height, :width]
    moving = 128 + 60 * np.sin((x + 3 * number) / 7) + 50 * np.cos((y - 2 * number) / 5)
    image = np.stack([moving, moving[::-1], moving[:, ::-1]], axis=2).astype(np.uint8)
    for bit in range(BITS):
        top, left = bit // 6 * BLOCK, bit % 6 * BLOCK
        image[top : top + BLOCK, left : left + BLOCK] = 255 * (number >> bit & 1)
    return image


def read_number(image: np.ndarray) -> int:
    """The number that `picture` drew, from a decoded (height, width, 3)."""
    number = 0
    for bit in range(BITS):
        top, left = bit // 6 * BLOCK, bit % 6 * BLOCK
        block = image[top + 4 : top + BLOCK - 4, left + 4 : left + BLOCK - 4]
        number |= int(block.mean() > 127) << bit
    return number


def rgb(frame: av.VideoFrame) -> np.ndarray:
    """uint8 (height, width, 3), as stored.

    Not by `frame.to_ndarray(format="rgb24")`, whose threads processes forked later would wait for.
    """
    return VideoReformatter().reformat(frame, format="rgb24", threads=1).to_ndarray()


def decode_all(path: Path | str) -> list[np.ndarray]:
    """Every frame as stored, decoded from the start with PyAV: what readers must agree with."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        return [rgb(frame) for frame in container.decode(stream)]


def decode_past_errors(path: Path | str) -> list[np.ndarray]:
    """The same, going on where a packet fails."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            with suppress(av.error.FFmpegError):
                frames += [rgb(frame) for frame in packet.decode()]
    return frames


@contextmanager
def scheduling_kept() -> Iterator[None]:
    """The thread has its ordinary share of the processors again afterwards.

    Where root runs it, SVT-AV1 makes the thread that calls it a real-time one, which would keep
    every other process from running.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def encode(
    path: Path,
    codec: str = "libx264",
    *,
    numbers: Sequence[int] = range(40),
    pictures: Sequence[np.ndarray] | np.ndarray | None = None,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    rate: Fraction | int = 30,
    gop: int = 12,
    b_frames: int = 0,
    times: Sequence[int] | None = None,
    pixel_format: str = "yuv420p",
    rotation: int = 0,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Frames that bear numbers, in one file.

    Args:
        pictures: uint8 (height, width, 3) each, to be shown instead.
        times: of the frames, in units of 1 / rate; one after the other if not given.
    """
    rate = Fraction(rate)
    if pictures is not None:
        size = pictures[0].shape[:2]
    with (
        scheduling_kept(),
        av.open(
            str(path), "w", format=container_format, options=container_options or {}
        ) as container,
    ):
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        stream.gop_size = gop
        stream.max_b_frames = b_frames
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for place, shown in enumerate(
            (picture(number, *size) for number in numbers) if pictures is None else pictures
        ):
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame = VideoReformatter().reformat(frame, format=pixel_format, threads=1)
            frame.pts = place if times is None else times[place]
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut_by_copy(source: Path, path: Path, first: int) -> Path:
    """Copy the packets and shift the times, so that frame `first` is the first one shown.

    MP4 then hides the frames before it with an edit list, which is what cutting with
    `ffmpeg -ss ... -c copy` leaves.
    """
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        shift = round(first / (stream.average_rate * stream.time_base))
        for packet in old.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                packet.pts -= shift
                packet.dts -= shift
                new.mux(packet)
    return path


def copy_from_keyframe(source: Path, path: Path, which: int) -> Path:
    """Copy the packets from a keyframe on, with those that are shown before it.

    Of an open GOP they need frames that the copy lacks.
    """
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        keyframes = 0
        for packet in old.demux(stream):
            keyframes += packet.is_keyframe
            if packet.dts is not None and keyframes > which:
                packet.stream = copy
                new.mux(packet)
    return path


def encode_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for i in range(8):
            samples = np.zeros((1, 1024), dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def encode_two(path: Path, numbers: Sequence[int]) -> Path:
    """A video stream, which players show because it is the first, then a larger one."""
    with av.open(str(path), "w") as container:
        streams = []
        for height, width in ((32, 96), (128, 192)):
            stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast"})
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            streams.append(stream)
        for number in numbers:
            for stream in streams:
                shown = picture(
                    number if stream is streams[0] else 4095, stream.height, stream.width
                )
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    return path


def encode_with_text(path: Path, text: bytes) -> Path:
    """A video whose title, its own and its stream's, is these bytes, in whatever encoding."""
    title = "T" * len(text)
    with av.open(str(path), "w") as container:
        container.metadata["title"] = title
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.metadata["title"] = stream.metadata["handler_name"] = title
        for number in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), "rgb24")))
        container.mux(stream.encode())
    content = path.read_bytes()
    assert title.encode() in content
    path.write_bytes(content.replace(title.encode(), text))
    return path
