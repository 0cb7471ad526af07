"""What a demuxer alone tells about a video: which frames there are, and where decoding may start.

Demuxing a ten-second clip takes about a millisecond; decoding it takes a hundred times as long.
"""

from bisect import bisect_right
from collections.abc import Sequence

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from .coded_pictures import CLEAN, ENTRY, ONE
from .looks import look_for
from .video_index import PacketIndex

# Containers whose time stamps are those that the decoder puts on the frames. The others (MPEG-TS
# and PS, FLV, ASF, Ogg, ...) are decoded from the start.
_TIMED_CONTAINERS = {"mov", "matroska"}
# One packet of these is one frame shown, where `looks` finds it so.
_ONE_FRAME_A_PACKET = {"h264", "hevc", "mpeg4", "vp9", "av1", "mjpeg"}
# AVI stores no time stamps; the order of packets is the order of frames in these, if nothing is
# reordered.
_IN_ORDER_IN_AVI = {"mpeg4", "mjpeg", "msmpeg4v2", "msmpeg4v3", "flv1", "h263"}


def _reorder_depth(times: Sequence[int]) -> int:
    """Frames that are stored before one and shown after it, at most."""
    places = sorted(range(len(times)), key=times.__getitem__)
    # Of the one that comes latest for its rank, all that is stored before it and shown after it counts.
    return max((place - rank for rank, place in enumerate(places)), default=0)


def read_packets(
    container: InputContainer, stream: VideoStream, *, cut_off: bool = False
) -> tuple[PacketIndex, int]:
    """Demux the container to its end; seek before decoding from it.

    cut_off: whether it is known to be, whatever its last packet looks like.

    Returns the index, and how many of its frames are certain to be the first ones that the file
    was made with. Of a file that was cut off, those are fewer: frames that are stored after the
    cut may be shown before some that lie before it. They can't be shown before they are decoded.
    """
    formats = container.format.name.split(",")
    codec = stream.codec_context.codec.canonical_name
    avi = "avi" in formats
    exact = (
        codec in _IN_ORDER_IN_AVI
        if avi
        else codec in _ONE_FRAME_A_PACKET and not _TIMED_CONTAINERS.isdisjoint(formats)
    )
    look = look_for(stream, avi=avi)
    exact &= look is not None or avi
    shown: list[int] = []
    newest: int | None = None  # latest time of a frame that is shown
    keyframes: list[int] = []
    edited = open_gop = partial = False
    last_keyframe: int | None = None
    last_dts: int | None = None
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                exact &= packet.pts is None and packet.dts is None  # else an empty frame
                continue
            if packet.is_corrupt:
                partial = True
                continue
            pts, last_dts = packet.pts, packet.dts
            if partial:  # not the end after all; only decoding tells what is left
                partial = exact = False
            if pts is None or (avi and pts != last_dts):
                exact = False
                continue
            found, keyframe = ENTRY, packet.is_keyframe
            if exact and look is not None:
                found = look(bytes(packet), keyframe)
                exact = bool(found & ONE)
            if keyframe:
                last_keyframe = pts
                if found & ENTRY:
                    keyframes.append(pts)
                open_gop |= codec == "h264" and not found & CLEAN
                # Frames that an edit list repeats, or a clock that was set back: decoders show them
                # in the order in which they are stored.
                exact &= newest is None or newest < pts
            elif last_keyframe is None or pts < last_keyframe:
                open_gop = True
            if packet.is_discard:
                edited = True
            else:
                shown.append(pts)
                if newest is None or pts > newest:
                    newest = pts
    except av.error.FFmpegError:
        partial = True
    cut_off |= partial
    if exact and codec == "h264":
        # Decoders hold back so many frames at most: one that comes too late they leave out.
        exact = _reorder_depth(shown) <= stream.codec_context.reorder_depth
    shown.sort()
    keyframes.sort()
    exact &= bool(shown) and len(set(shown)) == len(shown)
    # What a decoder shows of frames before the first keyframe is up to it.
    exact = exact and bool(keyframes) and keyframes[0] <= shown[0]
    whole = len(shown)
    if cut_off and last_dts is not None:
        whole = bisect_right(shown, last_dts)
    packets = PacketIndex(
        pts=tuple(shown),
        keyframes=tuple(keyframes),
        exact=exact,
        edited=edited,
        open_gop=open_gop,
        cut_off=cut_off,
    )
    return packets, whole
