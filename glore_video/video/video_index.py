"""What opening a video finds out, in a form that can be kept, so that opening it again is cheap."""

import json
import os
import zlib
from bisect import bisect_right
from dataclasses import asdict, dataclass
from fractions import Fraction

import numpy as np

from glore_video.errors import UsageError

from .errors import VideoError
from .frame_times import FrameTimes
from .orientation import Orientation

# The last byte is the version of the format. Version 1 had no time stamps of files that are not exact,
# and the container's rate whatever the stamps said.
MAGIC = b"GVX2"
_SAMPLE = 4096  # bytes at either end of a file that its stamp covers


def is_other_version(magic: bytes) -> bool:
    """Whether an index that begins so was kept by another version of this package."""
    return len(magic) == len(MAGIC) and magic[:-1] == MAGIC[:-1] and magic != MAGIC


@dataclass(frozen=True)
class PacketIndex:
    """The packets of a video stream, in units of the stream's time base.

    Attributes:
        pts: presentation times of the frames that are shown, ascending: frame k is at pts[k].
        keyframes: presentation times of the packets at which decoding may start, ascending.
        exact: whether `pts` is known to be what a decoder yields. If not, the only way to frame k
            is to decode from the start and count.
        edited: some frames are decoded but not shown (an edit list).
        open_gop: decoding can't simply begin at each keyframe: frames stored after it are shown
            before it, or need frames that lie before it (H.264 that refreshes bit by bit).
        cut_off: the file ends before its last packet does.
    """

    pts: tuple[int, ...]
    keyframes: tuple[int, ...]
    exact: bool
    edited: bool
    open_gop: bool
    cut_off: bool

    def keyframe_before(self, frame: int) -> int:
        """Presentation time of the last keyframe that is not after this frame."""
        return self.keyframes[bisect_right(self.keyframes, self.pts[frame]) - 1]

    @property
    def gop_length(self) -> int:
        """Frames shown from one keyframe to before the next, at most; 0 if not known."""
        if not self.exact:
            return 0
        starts = np.searchsorted(self.pts, self.keyframes)
        return int(np.diff(starts, append=len(self.pts)).max())


@dataclass(frozen=True)
class FileStamp:
    """Tells a file from its later states and from other files.

    Attributes:
        size: bytes.
        mtime_ns: last modification, nanoseconds.
        crc: CRC-32 of its first and last 4096 bytes.
    """

    size: int
    mtime_ns: int
    crc: int

    @classmethod
    def of(cls, path: str) -> "FileStamp":
        """Raises VideoError if the file can't be read."""
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                crc = zlib.crc32(file.read(_SAMPLE))
                if status.st_size > _SAMPLE:
                    file.seek(max(_SAMPLE, status.st_size - _SAMPLE))
                    crc = zlib.crc32(file.read(_SAMPLE), crc)
        except OSError as error:
            raise VideoError(path, error.strerror or str(error)) from None
        return cls(status.st_size, status.st_mtime_ns, crc)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a video holds, as its packets tell.

    Attributes:
        packets: of its video stream.
        num_frames: frames that it shows; if it is damaged, those before the damage, at least 1.
        fps: average frames a second that are shown.
        time_base: seconds that a step of 1 of a time stamp lasts.
        stamps: presentation times of the frames, ascending, where `packets` don't tell them; empty
            if the file has none that can be trusted.
        codec, pixel_format: FFmpeg's names ("h264", "yuv420p").
        damage: what is wrong with the file; empty if nothing is known to be.
    """

    packets: PacketIndex
    num_frames: int
    fps: Fraction
    time_base: Fraction
    stamps: tuple[int, ...]
    codec: str
    pixel_format: str
    damage: str

    @property
    def times(self) -> FrameTimes:
        """When each frame is shown."""
        stamps = self.packets.pts if self.packets.exact else self.stamps
        return FrameTimes(self.num_frames, self.fps, stamps[: self.num_frames], self.time_base)


@dataclass(frozen=True, kw_only=True)
class VideoIndex(Survey):
    """All that opening a video finds out, to be kept and given to `open_video`; see `read_index`.

    Attributes:
        file: the file that this was read from, in the state that it had.
        height, width: of a frame, in pixels, after any rotation.
        orientation: how stored frames are turned to be shown.
        decoded: whether all frames were decoded, so that no damage which the decoder tells is
            left unseen.
    """

    file: FileStamp
    height: int
    width: int
    orientation: Orientation
    decoded: bool

    @property
    def gop_length(self) -> int:
        """Frames from one keyframe to before the next, at most; 0 if not known."""
        return self.packets.gop_length

    @property
    def duration(self) -> float:
        """Seconds from the start of the first frame to the end of the last."""
        return float(self.times.duration)

    def to_bytes(self) -> bytes:
        """About 300 bytes for a clip of 300 frames at a constant rate."""
        packets = self.packets
        fields = asdict(self) | {
            "fps": [self.fps.numerator, self.fps.denominator],
            "time_base": [self.time_base.numerator, self.time_base.denominator],
            "packets": [packets.exact, packets.edited, packets.open_gop, packets.cut_off],
            "stamps": None,  # with the times of the packets
            "lengths": [len(packets.pts), len(packets.keyframes)],
        }
        head = json.dumps(fields, separators=(",", ":")).encode()
        times = np.array(packets.pts + packets.keyframes + self.stamps, dtype=np.int64)
        # Constant steps compress to almost nothing when each byte of a number lies with its like.
        steps = np.diff(times, prepend=0).astype("<i8").view(np.uint8).reshape(-1, 8).T
        body = zlib.compress(len(head).to_bytes(4, "little") + head + steps.tobytes(), 6)
        return MAGIC + zlib.crc32(body).to_bytes(4, "little") + body

    @classmethod
    def from_bytes(cls, data: bytes) -> "VideoIndex":
        """The inverse of to_bytes. Raises ValueError for other bytes, other versions' included."""
        magic, crc, body = data[:4], data[4:8], data[8:]
        if magic != MAGIC:
            raise UsageError(
                f"not a video index of this version: begins with {magic!r}, not {MAGIC!r}"
            )
        if zlib.crc32(body).to_bytes(4, "little") != crc:
            raise UsageError("a damaged video index: its checksum does not match")
        content = zlib.decompress(body)
        end = 4 + int.from_bytes(content[:4], "little")
        fields = json.loads(content[4:end])
        steps = np.frombuffer(content, dtype=np.uint8, offset=end).reshape(8, -1).T
        times = np.cumsum(np.ascontiguousarray(steps).view("<i8").ravel()).tolist()
        shown, keyframes = fields.pop("lengths")
        stamps = shown + keyframes  # where they begin
        flags = fields.pop("packets")
        return cls(
            **fields
            | {
                "file": FileStamp(**fields["file"]),
                "packets": PacketIndex(tuple(times[:shown]), tuple(times[shown:stamps]), *flags),
                "stamps": tuple(times[stamps:]),
                "fps": Fraction(*fields["fps"]),
                "time_base": Fraction(*fields["time_base"]),
                "orientation": Orientation(**fields["orientation"]),
            }
        )
