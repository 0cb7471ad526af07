"""What a demuxer alone tells about a video: which frames there are, and where decoding may start.

Demuxing a ten-second clip takes about a millisecond; decoding it takes a hundred times as long.
"""

import re
from bisect import bisect_right

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from .video_index import PacketIndex

# Containers whose time stamps are those that the decoder puts on the frames. The others (MPEG-TS
# and PS, FLV, ASF, Ogg, ...) are decoded from the start.
_TIMED_CONTAINERS = {"mov", "matroska"}
# One packet of these is one frame shown. Not VP8, whose alternate reference frames are packets too.
_ONE_FRAME_A_PACKET = {"h264", "hevc", "mpeg4", "vp9", "av1", "mjpeg"}
# AVI stores no time stamps; the order of packets is the order of frames in these, if nothing is
# reordered.
_IN_ORDER_IN_AVI = {"mpeg4", "mjpeg", "msmpeg4v2", "msmpeg4v3", "flv1", "h263"}
_MPEG4_FRAME_START = re.compile(rb"\x00\x00\x01\xb6")
_MPEG4_B_FRAME = 2


def _mpeg4_is_plain(data: bytes) -> bool:
    """Whether an MPEG-4 part 2 packet holds one I or P frame with a picture.

    AVI files pack a B frame and the P frame it needs into one packet, and put an empty frame of
    at most 8 bytes in the place that is left; decoders show nothing for it.
    """
    start = _MPEG4_FRAME_START.search(data)
    if len(data) <= 8 or start is None or start.end() >= len(data):
        return False
    kind = data[start.end()] >> 6
    return kind != _MPEG4_B_FRAME and _MPEG4_FRAME_START.search(data, start.end()) is None


def _is_idr(data: bytes, extradata: bytes | None) -> bool:
    """Whether an H.264 packet holds a frame after which nothing refers to what was before it.

    True only where it is known: extradata must be an AVC configuration record, which MP4 and
    Matroska have and which tells the size of the length before each NAL unit.
    """
    if extradata is None or len(extradata) < 5 or extradata[0] != 1:
        return False
    length_size = (extradata[4] & 3) + 1
    at = 0
    while at + length_size < len(data):
        length = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        if data[at] & 31 == 5:
            return True
        at += length
    return False


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
    extradata = stream.codec_context.extradata
    avi = "avi" in formats
    exact = (
        codec in _IN_ORDER_IN_AVI
        if avi
        else codec in _ONE_FRAME_A_PACKET and not _TIMED_CONTAINERS.isdisjoint(formats)
    )
    shown: list[int] = []
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
            last_dts = packet.dts
            if partial:  # not the end after all; only decoding tells what is left
                partial = exact = False
            if packet.pts is None or (avi and packet.pts != packet.dts):
                exact = False
                continue
            if codec == "mpeg4" and (avi or packet.size <= 8):
                exact &= _mpeg4_is_plain(bytes(packet))
            if packet.is_keyframe:
                last_keyframe = packet.pts
                keyframes.append(packet.pts)
                if codec == "h264" and not open_gop:
                    open_gop = not _is_idr(bytes(packet), extradata)
            elif last_keyframe is None or packet.pts < last_keyframe:
                open_gop = True
            if packet.is_discard:
                edited = True
            else:
                shown.append(packet.pts)
    except av.error.FFmpegError:
        partial = True
    cut_off |= partial
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
