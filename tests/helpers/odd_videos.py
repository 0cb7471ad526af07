"""Sound videos whose packets are not their frames, or whose decoder complains: what cameras and cutting leave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from av import Packet
from encoded_videos import copy_from_keyframe, encode
from h264_fields import coded_fields, mux_fields
from rewritten_videos import rewrite, rewrite_edit_list
from video_corpus import X265

OPEN = {"preset": "veryfast"} | {
    "x264-params": "open-gop=1:b-pyramid=normal:bframes=3:b-adapt=0:scenecut=0:ref=4"
}
X265_OPEN = X265 | {
    "x265-params": X265["x265-params"] + ":open-gop=1:keyint=24:b-adapt=0:scenecut=0"
}
REFRESH = {"preset": "veryfast", "x264-params": "intra-refresh=1"}
INTERLACED = {"preset": "veryfast", "x264-params": "tff=1"}

# Beside pictures: filler data, and SEI messages that say they are longer than they are.
FILLER = {"libx264": b"\x0c\xff\xff\x80", "libx265": b"\x4c\x01\xff\xff\x80"}
BROKEN_SEI = {"libx264": b"\x06\x05\x64\x01\x02", "libx265": b"\x4e\x01\x90\x40\x05"}


@dataclass(frozen=True)
class Odd:
    """A video, the numbers of the frames it shows, how many a second, and whether packets tell them.

    numbers: None where it is the decoder's choice, from the first keyframe on.
    """

    path: Path
    numbers: list[int] | None
    fps: int = 30
    exact: bool = False
    turn: int = 0


def _unit(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def packets_without_pictures(source: Path, path: Path, filler: bytes) -> Path:
    """Every tenth packet follows one that holds filler data alone, half a frame before it."""

    def change(place: int, packet: Packet) -> list[tuple[bytes, int]]:
        own = [(bytes(packet), packet.pts)]
        if place % 10 != 5:
            return own
        return [(_unit(filler), packet.pts - packet.duration // 2), *own]

    return rewrite(source, path, change)


def every_packet_with(source: Path, path: Path, unit: bytes) -> Path:
    return rewrite(source, path, lambda _, packet: [(_unit(unit) + bytes(packet), packet.pts)])


def recording(source: Path, path: Path, begin: float) -> Path:
    """The packets of MPEG-TS from a place in the file on, as a recorder is switched on."""
    data = source.read_bytes()
    path.write_bytes(data[int(begin * len(data)) // 188 * 188 :])
    return path


def make_odd_videos(folder: Path) -> dict[str, Odd]:
    """By name."""
    odd: dict[str, Odd] = {}

    def add(
        name: str, make: Callable[[Path], Path], ending: str, numbers: Sequence[int] | None, **facts
    ) -> None:
        path = make(folder / f"{len(odd)}.{ending}")
        odd[f"{name}, {ending}"] = Odd(path, numbers and list(numbers), **facts)

    def source(name: str, codec: str = "libx264", **how) -> Path:
        how = {"numbers": range(100), "gop": 24, "options": {"preset": "veryfast"}} | how
        return encode(folder / name, codec, **how)

    forty, sixty, hundred = range(40), range(60), range(100)
    fields = coded_fields(forty)
    mixed = coded_fields(forty, frames=[3, 4, 12, 30])
    for ending in ("mp4", "mkv", "ts"):
        add("fields", lambda path: mux_fields(path, fields), ending, forty, fps=25)
    for ending in ("mp4", "mkv"):
        add("fields and frames", lambda path: mux_fields(path, mixed), ending, forty, fps=25)
        add(
            "fields in one packet",
            lambda path: mux_fields(path, fields, together=True),
            ending,
            forty,
            fps=25,
            exact=True,
        )
    add(
        "fields in a frame",
        lambda path: encode(path, b_frames=2, options=INTERLACED),
        "mp4",
        forty,
        exact=True,
    )

    add(
        "mpeg4, fields in a frame",
        lambda path: encode(path, "mpeg4", options={"flags": "+ildct+ilme"}),
        "avi",
        forty,
        exact=True,
    )

    refresh = source("refresh.mp4", gop=30, options=REFRESH)
    add("intra refresh", lambda _: refresh, "mp4", hundred, exact=True)
    for ending in ("mp4", "mkv"):
        # Its second refresh begins at 30 and is not seen before it is done.
        add(
            "intra refresh, cut",
            lambda path: copy_from_keyframe(refresh, path, which=1),
            ending,
            None,
        )

    for codec, name in (("libx264", "h264"), ("libx265", "hevc")):
        options = {"libx264": {"preset": "veryfast"}, "libx265": X265}[codec]
        plain = source(f"{name}.mp4", codec, numbers=sixty, options=options)
        for ending in ("mp4", "mkv"):
            add(
                f"{name}, packets without pictures",
                lambda path, plain=plain, codec=codec: packets_without_pictures(
                    plain, path, FILLER[codec]
                ),
                ending,
                sixty,
            )
            add(
                f"{name}, broken SEI",
                lambda path, plain=plain, codec=codec: every_packet_with(
                    plain, path, BROKEN_SEI[codec]
                ),
                ending,
                sixty,
                exact=True,
            )

    open_gop = source("open.mp4", b_frames=3, options=OPEN)
    add(
        "open GOP, cut",
        lambda path: copy_from_keyframe(open_gop, path, which=1),
        "mkv",
        range(24, 100),
    )
    hevc = source("open_hevc.mp4", "libx265", options=X265_OPEN)
    for name, video in (("h264", open_gop), ("hevc", hevc)):
        add(
            f"{name}, open GOP, two segments",
            lambda path, video=video: rewrite_edit_list(video, path, [(60, 24), (20, 30)]),
            "mp4",
            [*range(60, 84), *range(20, 50)],
        )
    for name, codec, how in (
        ("h264", "libx264", {}),
        ("h264, open GOP", "libx264", {"b_frames": 3, "options": OPEN}),
        ("h264, intra refresh", "libx264", {"options": REFRESH}),
        ("hevc", "libx265", {"options": X265_OPEN}),
        ("mpeg2", "mpeg2video", {"b_frames": 2, "options": {}}),
    ):
        for ending in ("ts", "264") if name == "h264" else ("ts",):
            stream = source(f"{name}.{ending}", codec, **how)
            for begin, first in ((0.1, 24), (0.35, 48), (0.6, 72)):  # keyframes are 24 frames apart
                add(
                    f"{name}, recorded from {begin} on",
                    lambda path, stream=stream, begin=begin: recording(stream, path, begin),
                    ending,
                    None if "refresh" in name else range(first, 100),
                    fps=25 if ending == "264" else 30,  # FFmpeg's for streams without time stamps
                )
    return odd
