"""Small videos encoded with PyAV, in which every frame bears its own number as a barcode."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH = 64, 96
BLOCK = 16  # the barcode: two rows of six blocks, the least significant bit first
BITS = 12


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


def decode_all(path: Path | str) -> list[np.ndarray]:
    """Every frame, decoded from the start with PyAV: what readers must agree with."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def encode(
    path: Path,
    codec: str = "libx264",
    *,
    numbers: Sequence[int] = range(40),
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
    """times: of the frames, in units of 1 / rate; one after the other if not given."""
    rate = Fraction(rate)
    with av.open(
        str(path), "w", format=container_format, options=container_options or {}
    ) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        stream.gop_size = gop
        stream.max_b_frames = b_frames
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for place, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame = frame.reformat(format=pixel_format)
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


@dataclass(frozen=True)
class Encoded:
    """A video and what is known of it from how it was made.

    numbers: of the frames that it shows. exact: whether its packets alone tell its frames.
    decord: whether decord reads it right.
    """

    path: Path
    numbers: list[int]
    fps: Fraction = Fraction(30)
    exact: bool = True
    decord: bool = True


def encode_corpus(folder: Path) -> dict[str, Encoded]:
    """The videos that readers are tried on, by name."""
    all_frames = list(range(40))
    irregular = [0, 1, 2, 5, 6, 9, 10, 11, 15, 16] + [20 + 3 * i for i in range(30)]
    x264 = {"preset": "veryfast"}
    corpus: dict[str, Encoded] = {}

    def add(
        name: str,
        file: str,
        codec: str = "libx264",
        exact: bool = True,
        decord: bool = True,
        fps: Fraction = Fraction(30),
        **how: object,
    ) -> None:
        if codec == "libx264":
            how["options"] = x264 | how.get("options", {})  # type: ignore[operator]
        path = encode(folder / file, codec, rate=fps, **how)  # type: ignore[arg-type]
        numbers = list(how.get("numbers", all_frames))  # type: ignore[call-overload]
        corpus[name] = Encoded(path, numbers, fps, exact, decord)

    add("h264", "a.mp4", b_frames=3)
    add("h264, one keyframe", "b.mp4", b_frames=3, gop=250)
    add("h264, no B frames", "c.mp4")
    add("h264, NTSC", "d.mp4", fps=Fraction(30000, 1001), b_frames=2)
    add("one frame", "e.mp4", numbers=[7])
    add("odd size", "f.mp4", size=(65, 97), pixel_format="yuv444p", b_frames=2)
    add("10 bit", "g.mp4", pixel_format="yuv420p10le", decord=False)
    add("faststart", "h.mp4", b_frames=3, container_options={"movflags": "faststart"})
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    add("fragmented", "i.mp4", b_frames=3, container_options=fragments)
    add("variable rate", "j.mp4", b_frames=2, times=irregular)
    add("starts late", "k.mkv", b_frames=2, times=[50 + i for i in all_frames])
    add("mkv", "l.mkv", b_frames=3)
    open_gop = {"x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0"}
    add("open GOP", "m.mp4", b_frames=3, options=open_gop, decord=False)
    refresh = {"x264-params": "intra-refresh=1"}
    add("intra refresh", "n.mp4", options=refresh, decord=False)
    add("mpeg4 avi", "o.avi", "mpeg4")
    add("mpeg4 avi, B frames", "p.avi", "mpeg4", b_frames=2, exact=False, decord=False)
    closed = {"flags": "+cgop", "sc_threshold": "1000000000"}
    add("mpeg4 mp4, B frames", "q.mp4", "mpeg4", b_frames=2, options=closed)
    add("mjpeg avi", "r.avi", "mjpeg", pixel_format="yuvj420p")
    add("h264 avi", "s.avi", b_frames=2, exact=False, decord=False)
    add("MPEG-TS", "t.ts", b_frames=2, exact=False, decord=False)
    add("MPEG-PS", "u.mpg", "mpeg2video", b_frames=2, exact=False, decord=False)
    add("flv", "v.flv", b_frames=2, exact=False, decord=False)
    x265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:bframes=3"}
    add("hevc", "w.mp4", "libx265", options=x265, decord=False)
    vp9 = {"cpu-used": "8", "deadline": "realtime"}
    add("vp9", "x.webm", "libvpx-vp9", options=vp9)
    add("vp8", "y.webm", "libvpx", options=vp9, exact=False, decord=False)
    add("spaces and accents", "arm wrestling: été 100%d #1.mp4", b_frames=2)

    cut = cut_by_copy(corpus["h264"].path, folder / "cut.mp4", first=5)
    corpus["edit list"] = Encoded(cut, all_frames[5:], decord=False)
    return corpus
