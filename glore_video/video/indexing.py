"""Making the index of a video: demux it, and decode as much of it as is needed."""

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from .decoding import decode_in_order
from .errors import VideoError
from .frame_times import shown_rate
from .orientation import Orientation
from .packet_index import read_packets
from .pictures import other_size
from .promised_size import is_cut_off
from .pyav_file import fraction, open_container, reason
from .video_index import FileStamp, PacketIndex, Survey, VideoIndex

_CUT_OFF = "the file is cut off"


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
        time_base=fraction(stream.time_base or 1),
        stamps=(),
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
    """Of the packets if they are what is shown, else as the container states it."""
    rate = stream.average_rate or stream.guessed_rate
    stated = fraction(rate) if rate else None
    if packets.exact or not stated:
        stated = shown_rate(packets.pts, fraction(stream.time_base or 1), stated)
    if not stated:
        raise VideoError(path, "has no frame rate")
    return stated


def decoded_survey(path: str, found: Survey) -> Survey:
    """Decode all frames and correct what the packets told."""
    times, stamps, failure = _decode_all(path, found.packets.cut_off)
    if not times:
        raise VideoError(path, f"no frame can be decoded{failure and ': ' + failure}")
    packets = found.packets
    if tuple(times) != packets.pts[: len(times)] or (
        not failure and not packets.cut_off and len(times) != len(packets.pts)
    ):
        packets = replace(packets, exact=False)
    count = min(len(times), found.num_frames) if packets.exact else len(times)
    found = replace(
        found,
        packets=packets,
        num_frames=count,
        stamps=() if packets.exact else stamps,
        damage=failure or found.damage,
    )
    fps = shown_rate(found.times.stamps, found.time_base, found.fps)
    return replace(found, fps=fps or found.fps)


def _decode_all(path: str, cut_off: bool) -> tuple[list[int | None], tuple[int, ...], str]:
    """Times of the frames before the first that can't be shown, stamps, and why it can't.

    Stamps are those times if all frames have one and they ascend, otherwise nothing. The reason is
    empty if all frames can be shown.
    """
    times: list[int | None] = []
    failure = ""
    size: tuple[int, int] | None = None
    try:
        with closing(decode_in_order(path, cut_off=cut_off)) as frames:
            for frame in frames:
                size = size or (frame.height, frame.width)
                if size != (frame.height, frame.width):
                    turn = Orientation.of(frame).shape
                    failure = other_size(len(times), turn(frame.height, frame.width), turn(*size))
                    break
                times.append(frame.pts)
    except av.error.FFmpegError as error:
        failure = reason(error)
        if times:
            failure = f"decoding fails after {len(times)} frames: {failure}"
    stamps = [time for time in times if time is not None]
    container, _ = open_container(path)
    with container:
        if "avi" in container.format.name.split(","):
            # AVI has the times at which packets are decoded, those left out counted: a time is right
            # but for its place among its neighbours.
            stamps.sort()
    told = len(stamps) == len(times) and all(a < b for a, b in pairwise(stamps))
    return times, tuple(stamps) if told else (), failure


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
