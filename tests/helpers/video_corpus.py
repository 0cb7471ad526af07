"""The videos that readers are tried on, whole and damaged, encoded when the tests begin."""

import random
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from encoded_videos import cut_by_copy, decode_all, encode, encode_sound, encode_two

ALL = range(40)
NTSC = Fraction(30000, 1001)
IRREGULAR = [0, 1, 2, 5, 6, 9, 10, 11, 15, 16] + [20 + 3 * i for i in range(30)]
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:bframes=3"}
VPX = {"cpu-used": "8", "deadline": "realtime"}
AV1 = {"preset": "13", "svtav1-params": "lp=1"}
OPEN_GOP = {"x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0"}
CLOSED_MPEG4 = {"flags": "+cgop", "sc_threshold": "1000000000"}

# Name -> what `encode` is told, and what is known of the file:
# not exact: its packets don't tell its frames, so that it is decoded from the start.
# others: decord and torchcodec are known to read it right.
VIDEOS: dict[str, dict] = {
    "h264": {"file": "a.mp4", "b_frames": 3},
    "h264, one keyframe": {"b_frames": 3, "gop": 250},
    "h264, no B frames": {},
    "h264, NTSC": {"rate": NTSC, "b_frames": 2},
    "one frame": {"numbers": [7]},
    "three frames": {"numbers": [7, 8, 9], "b_frames": 2},
    "4:4:4, odd size": {"size": (65, 97), "pixel_format": "yuv444p", "b_frames": 2},
    "4:2:0, odd size": {
        "codec": "mpeg4",
        "ending": "mkv",
        "size": (65, 97),
        "options": CLOSED_MPEG4,
        "others": False,
    },
    "10 bit": {"pixel_format": "yuv420p10le", "others": False},
    "faststart": {"b_frames": 3, "container_options": {"movflags": "faststart"}},
    "fragmented": {"b_frames": 3, "container_options": FRAGMENTS},
    "variable rate": {"b_frames": 2, "times": IRREGULAR},
    "starts late": {"ending": "mkv", "b_frames": 2, "times": [50 + i for i in ALL]},
    "mkv": {"ending": "mkv", "b_frames": 3},
    "turned": {"b_frames": 2, "rotation": 90, "others": False},
    "open GOP": {"b_frames": 3, "options": OPEN_GOP, "others": False},
    "intra refresh": {"options": {"x264-params": "intra-refresh=1"}, "others": False},
    "mpeg4 avi": {"ending": "avi", "codec": "mpeg4"},
    "mpeg4 avi, B frames": {"ending": "avi", "codec": "mpeg4", "b_frames": 2, "exact": False},
    "mpeg4 mp4, B frames": {"codec": "mpeg4", "b_frames": 2, "options": CLOSED_MPEG4},
    "mjpeg avi": {"ending": "avi", "codec": "mjpeg", "pixel_format": "yuvj420p"},
    "h264 avi": {"ending": "avi", "b_frames": 2, "exact": False},
    "raw h264": {"ending": "h264", "b_frames": 2, "rate": Fraction(25), "exact": False},
    "MPEG-TS": {"ending": "ts", "b_frames": 2, "exact": False},
    "MPEG-PS": {"ending": "mpg", "codec": "mpeg2video", "b_frames": 2, "exact": False},
    "flv": {"ending": "flv", "b_frames": 2, "exact": False},
    "hevc": {"codec": "libx265", "options": X265, "others": False},
    "vp9": {"ending": "webm", "codec": "libvpx-vp9", "options": VPX},
    "vp8": {"ending": "webm", "codec": "libvpx", "options": VPX, "exact": False},
    "av1": {"codec": "libsvtav1", "options": AV1, "others": False},
    "spaces and accents": {"file": "arm wrestling: été 100%d #1.mp4", "b_frames": 2},
}


@dataclass(frozen=True)
class Encoded:
    """A video and what is known of it from how it was made.

    numbers: of the frames that it shows. exact, decord, torchcodec: see VIDEOS. turn: degrees that
    players turn its pictures, counter-clockwise.
    """

    path: Path
    numbers: list[int]
    fps: Fraction = Fraction(30)
    exact: bool = True
    decord: bool = True
    torchcodec: bool = True
    turn: int = 0

    def frames(self) -> list[np.ndarray]:
        """By sequential decoding."""
        return [np.rot90(frame, self.turn // 90) for frame in decode_all(self.path)]


def encode_corpus(folder: Path) -> dict[str, Encoded]:
    """The videos that can be read, by name."""
    corpus: dict[str, Encoded] = {}
    for name, told in VIDEOS.items():
        how = {"rate": Fraction(30), "numbers": ALL, **told}
        exact = how.pop("exact", True)
        others = how.pop("others", exact)
        file = how.pop("file", f"{len(corpus)}.{how.pop('ending', 'mp4')}")
        if how.setdefault("codec", "libx264") == "libx264":
            how["options"] = {"preset": "veryfast"} | how.get("options", {})
        corpus[name] = Encoded(
            encode(folder / file, **how),
            list(how["numbers"]),
            how["rate"],
            exact,
            decord=others,
            torchcodec=others,
            turn=how.get("rotation", 0),
        )
    cut = cut_by_copy(corpus["h264"].path, folder / "cut.mp4", first=5)
    corpus["edit list"] = Encoded(cut, list(ALL)[5:], decord=False)
    two = encode_two(folder / "two.mp4", ALL)
    corpus["two video streams"] = Encoded(two, list(ALL), decord=False)
    return corpus


def flip_bytes(data: bytes, seed: int) -> bytes:
    """Invert 40 bytes in a row, somewhere in the second or third quarter."""
    at = random.Random(seed).randrange(len(data) // 4, len(data) * 3 // 4)
    return data[:at] + bytes(255 - byte for byte in data[at : at + 40]) + data[at + 40 :]


def damage_corpus(corpus: dict[str, Encoded], folder: Path) -> dict[str, tuple[Path, Encoded]]:
    """Damaged files by name, each with the video that it was."""
    damaged: dict[str, tuple[Path, Encoded]] = {}

    def add(name: str, source: str, data: bytes) -> None:
        path = folder / f"{len(damaged)}{corpus[source].path.suffix}"
        path.write_bytes(data)
        damaged[name] = (path, corpus[source])

    for name in ("faststart", "h264", "mkv", "mpeg4 avi", "mpeg4 avi, B frames", "MPEG-TS", "av1"):
        data = corpus[name].path.read_bytes()
        add(f"{name}, cut off", name, data[: len(data) * 6 // 10])
    for name in ("h264", "faststart", "mkv", "mpeg4 avi", "hevc", "vp9", "MPEG-TS", "edit list"):
        for seed in range(3):
            data = flip_bytes(corpus[name].path.read_bytes(), seed)
            add(f"{name}, flipped {seed}", name, data)
    return damaged


def write_unreadable(folder: Path, what: str) -> Path:
    """A file of UNREADABLE."""
    path = folder / f"é {what}.mp4"
    if what == "empty":
        path.touch()
    elif what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("not a video\n" * 100)
    elif what == "sound":
        encode_sound(path)
    elif what == "no moov":
        whole = encode(folder / "whole.mp4").read_bytes()
        path.write_bytes(whole[: len(whole) * 6 // 10])
    return path


# What can't be opened, and why.
UNREADABLE = {
    "missing": "no such file",
    "empty": "the file is empty",
    "folder": "is a folder, not a file",
    "text": "can't be opened as video: Invalid data",
    "sound": "has no video stream",
    "no moov": "can't be opened as video: Invalid data",
}
