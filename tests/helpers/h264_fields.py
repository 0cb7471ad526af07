"""H.264 coded as fields (PAFF), which no encoder here writes: uncompressed macroblocks (I_PCM)."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from encoded_videos import HEIGHT, WIDTH, picture

_START = b"\0\0\0\1"
_SPS, _PPS, _IDR, _OTHER = 0x67, 0x68, 0x65, 0x41  # heads of NAL units
_I_PCM = 25


class Bits:
    """A string of bits, as H.264 writes syntax elements."""

    def __init__(self) -> None:
        self.bits: list[str] = []
        self.length = 0

    def u(self, value: int, width: int) -> "Bits":
        self.bits.append(f"{value:0{width}b}" if width else "")
        self.length += width
        return self

    def ue(self, *values: int) -> "Bits":
        """Exp-Golomb codes."""
        for value in values:
            self.u(value + 1, 2 * (value + 1).bit_length() - 1)
        return self

    def align(self) -> "Bits":
        return self.u(0, -self.length % 8)

    def pcm(self, data: bytes) -> "Bits":
        return self.u(int.from_bytes(data, "big"), 8 * len(data))

    def nal(self, head: int) -> bytes:
        """With its start code and the bits that end it. Samples must be above 3."""
        self.u(1, 1).align()
        text = "".join(self.bits)
        return _START + bytes([head]) + int(text, 2).to_bytes(len(text) // 8, "big")


def _parameter_sets(height: int, width: int) -> bytes:
    sps = Bits().u(77, 8).u(0, 8).u(30, 8)  # Main profile, level 3
    sps.ue(0, 0, 2, 4).u(0, 1)  # id, frame_num has 4 bits, order as decoded, four references
    sps.ue(width // 16 - 1, height // 32 - 1).u(0, 1)  # frame_mbs_only_flag: 0
    sps.u(0, 1).u(1, 1).u(0, 1).u(0, 1)  # no MBAFF, direct_8x8, no cropping, no VUI
    pps = Bits().ue(0, 0).u(0, 1).u(0, 1).ue(0, 0, 0).u(0, 1).u(0, 2).ue(0, 0, 0).u(0, 3)
    return sps.nal(_SPS) + pps.nal(_PPS)


def _slice(planes: Sequence[np.ndarray], *, key: int, frame_num: int, field: int | None) -> bytes:
    """One intra picture. field: 0 top, 1 bottom, None a frame. key: which key frame, -1 for none."""
    idr = key >= 0 and field != 1
    bits = Bits().ue(0, 7, 0).u(frame_num % 16, 4)  # first macroblock, I slice, PPS, frame_num
    bits.u(int(field is not None), 1)
    if field is not None:
        bits.u(field, 1)
    if idr:
        bits.ue(key % 2).u(0, 2)  # idr_pic_id, keep no earlier pictures
    else:
        bits.u(0, 1)  # sliding window
    bits.ue(0)  # slice_qp_delta: 0
    for top in range(0, planes[0].shape[0], 16):
        for left in range(0, planes[0].shape[1], 16):
            bits.ue(_I_PCM).align()
            for plane, shift in zip(planes, (0, 1, 1), strict=True):
                rows, columns = (slice(at >> shift, (at + 16) >> shift) for at in (top, left))
                bits.pcm(plane[rows, columns].tobytes())
    return bits.nal(_IDR if idr else _OTHER)


def _planes(number: int) -> list[np.ndarray]:
    frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
    frame = VideoReformatter().reformat(frame, format="yuv420p", threads=1)
    return [
        np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width]
        for p in frame.planes
    ]


def coded_fields(
    numbers: Sequence[int], *, gop: int = 12, frames: Sequence[int] = ()
) -> list[list[bytes]]:
    """For each picture its fields, with start codes; one frame for those whose place is in `frames`."""
    coded = []
    frame_num = key = 0
    for place, number in enumerate(numbers):
        planes = _planes(number)
        is_key = place % gop == 0
        frame_num = 0 if is_key else frame_num + 1
        key += is_key
        kinds = (
            [(None, planes)]
            if place in frames
            else [(f, [p[f::2] for p in planes]) for f in (0, 1)]
        )
        parts = [
            _slice(part, key=key if is_key else -1, frame_num=frame_num, field=field)
            for field, part in kinds
        ]
        coded.append(parts)
        if is_key:
            parts[0] = _parameter_sets(HEIGHT, WIDTH) + parts[0]
    return coded


def mux_fields(
    path: Path,
    coded: Sequence[Sequence[bytes]],
    *,
    together: bool = False,
    rate: int = 25,
) -> Path:
    """together: both fields of a frame in one packet, as the standard of MP4 files wants it."""
    raw = path.with_suffix(".264")
    raw.write_bytes(b"".join(b"".join(parts) for parts in coded))
    with av.open(str(raw)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        stream.time_base = Fraction(1, 2 * rate)
        for place, parts in enumerate(coded):
            for half, data in enumerate([b"".join(parts)] if together else parts):
                packet = av.Packet(data)
                packet.pts = packet.dts = 2 * place + half
                packet.duration = 1 + together
                packet.time_base = Fraction(1, 2 * rate)
                packet.stream = stream
                packet.is_keyframe = b"\0\0\0\1\x65" in data
                container.mux(packet)
    return path
