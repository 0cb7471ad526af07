"""Making the index of a video: demux it, and decode as much of it as is needed."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from .decoding import decode_in_order
from .errors import VideoError
from .orientation import Orientation
from .packet_index import read_packets
from .pictures import other_size
from .promised_size import is_cut_off
from .pyav_file import fraction, open_container, reason
from .video_index import FileStamp, PacketIndex, Survey, VideoIndex

_CUT_OFF = "the file is cut off"
_RATES_AGREE = 0.05  # that a container states and that frames have, if they differ by no more


def survey(path: str, container: InputContainer, stream: VideoStream) -> Survey:
    """Demux the container to its end; decode the file only if its packets don't tell its frames.

    Raises VideoError if no frame can be shown.
    """
    packets, whole = read_packets(container, stream, cut_off=is_cut_off(path))
    damage = _CUT_OFF if packets.cut_off else ""
    # Not its pix_fmt: where there is none, some releases of PyAV crash.
    pixels = stream.codec_context.format
    found = Survey(
        packets=packets,
        num_frames=whole,
        fps=_frame_rate(path, stream, packets),
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=pixels.name if pixels else "",
        damage=damage,
    )
    if not packets.exact:
        return decoded_survey(path, found)
    if whole == 0:
        raise VideoError(path, f"{damage}: no frame is whole")
    return found


def _frame_rate(path: str, stream: VideoStream, packets: PacketIndex) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    if rate:
        return fraction(rate)
    measured = _measured_rate(packets.pts, fraction(stream.time_base or 0))
    if measured is None:
        raise VideoError(path, "has no frame rate")
    return measured


def _measured_rate(times: Sequence[int | None], time_base: Fraction) -> Fraction | None:
    """Frames a second by their times, in units of time_base seconds; None if these don't tell."""
    first, last = (times[0], times[-1]) if times else (None, None)
    if first is None or last is None or last <= first or not time_base:
        return None
    return Fraction(len(times) - 1, last - first) / time_base


def decoded_survey(path: str, found: Survey) -> Survey:
    """Decode all frames and correct what the packets told."""
    times, time_base, failure = _decode_all(path, found.packets.cut_off)
    if not times:
        raise VideoError(path, f"no frame can be decoded{failure and ': ' + failure}")
    packets = found.packets
    if tuple(times) != packets.pts[: len(times)] or (
        not failure and not packets.cut_off and len(times) != len(packets.pts)
    ):
        packets = replace(packets, exact=False)
    count = min(len(times), found.num_frames) if packets.exact else len(times)
    fps = found.fps
    if not packets.exact:
        measured = _measured_rate(times, time_base)
        if measured and abs(measured / fps - 1) > _RATES_AGREE:
            fps = measured  # the container counts packets that are no frames, fields say
    return replace(
        found, packets=packets, num_frames=count, fps=fps, damage=failure or found.damage
    )


def _decode_all(path: str, cut_off: bool) -> tuple[list[int | None], Fraction, str]:
    """Times of the frames before the first that can't be shown, their unit in seconds, and why."""
    times: list[int | None] = []
    time_base = Fraction(0)
    size = (0, 0)
    try:
        with closing(decode_in_order(path, cut_off=cut_off)) as frames:
            for frame in frames:
                if not times:
                    time_base = fraction(frame.time_base or 0)
                    size = frame.height, frame.width
                elif size != (frame.height, frame.width):
                    turn = Orientation.of(frame).shape
                    shapes = turn(frame.height, frame.width), turn(*size)
                    return times, time_base, other_size(len(times), *shapes)
                times.append(frame.pts)
    except av.error.FFmpegError as error:
        if not times:
            return times, time_base, reason(error)
        failure = f"decoding fails after {len(times)} frames: {reason(error)}"
        return times, time_base, failure
    return times, time_base, ""


def make_index(path: str, *, decode: bool) -> VideoIndex:
    """See reader.read_index."""
    stamp = FileStamp.of(path)
    container, stream = open_container(path)
    try:
        found = survey(path, container, stream)
    finally:
        container.close()
    with closing(decode_in_order(path)) as frames:
        try:
            first = next(frames)
        except (av.error.FFmpegError, StopIteration) as error:
            raise VideoError(path, f"no frame can be decoded: {reason(error)}") from None
    orientation = Orientation.of(first)
    if decode and found.packets.exact:
        found = decoded_survey(path, found)
    height, width = orientation.shape(first.height, first.width)
    return VideoIndex(
        **vars(found),
        file=stamp,
        height=height,
        width=width,
        orientation=orientation,
        decoded=decode or not found.packets.exact,
    )
