"""Videos whose packets are changed, dropped or added to on the way from one container to another."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av

Change = Callable[[int, av.Packet], Iterable[tuple[bytes, int]]]


def rewrite(source: Path, path: Path, change: Change) -> Path:
    """Copy a video stream; `change` gives, for packet k as stored, what is written in its place.

    That is any number of (bytes, presentation time in ticks of the source).
    """
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        copy.time_base = stream.time_base
        place = 0
        for packet in old.demux(stream):
            if packet.dts is None:
                continue
            for data, pts in change(place, packet):
                other = av.Packet(data)
                other.pts, other.dts = pts, packet.dts + pts - packet.pts
                other.time_base, other.duration = packet.time_base, packet.duration
                other.is_keyframe = packet.is_keyframe
                other.stream = copy
                new.mux(other)
            place += 1
    return path


def join_by_copy(sources: Sequence[Path], path: Path) -> Path:
    """Copy the packets of one video after those of another, whatever their headers say."""
    with av.open(str(path), "w") as new:
        copy, end = None, Fraction(0)
        for source in sources:
            with av.open(str(source)) as old:
                stream = old.streams.video[0]
                copy = copy or new.add_stream_from_template(stream)
                packets = [packet for packet in old.demux(stream) if packet.dts is not None]
                shift = round(end / stream.time_base) - min(packet.pts for packet in packets)
                for packet in packets:
                    packet.stream = copy
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    end = max(end, (packet.pts + packet.duration) * stream.time_base)
                    new.mux(packet)
    return path


def rewrite_edit_list(source: Path, path: Path, segments: Sequence[tuple[int, int]]) -> Path:
    """An MP4 file of PyAV's that shows only these segments: (first frame, number of frames) at 30 fps.

    In its movie header a second has 1000 ticks, in its media 15,360.
    """
    data = bytearray(source.read_bytes())
    at = data.index(b"elst") - 4
    old_size, start = (int.from_bytes(data[at + k : at + k + 4], "big") for k in (0, 20))
    entries = b"".join(
        round(count * 1000 / 30).to_bytes(4, "big")
        + (start + first * 512).to_bytes(4, "big")
        + b"\0\1\0\0"
        for first, count in segments
    )
    box = b"elst\0\0\0\0" + len(segments).to_bytes(4, "big") + entries
    data[at : at + old_size] = (4 + len(box)).to_bytes(4, "big") + box
    for name in (b"edts", b"trak", b"moov"):  # the media lies before them: no offset changes
        around = data.rindex(name, 0, at) - 4
        size = int.from_bytes(data[around : around + 4], "big") + 4 + len(box) - old_size
        data[around : around + 4] = size.to_bytes(4, "big")
    path.write_bytes(data)
    return path
