"""For each codec and container, the function that looks at packets; see coded_pictures."""

import struct
from collections.abc import Callable

from av.video.stream import VideoStream

from . import coded_pictures
from .coded_pictures import ENTRY, ONE, Av1Packets, Look, Vp9Packets
from .h264_packets import H264Packets
from .hevc_packets import HevcPackets

_LOOKS: dict[str, Callable[[bytes | None], Look]] = {
    "h264": H264Packets,
    "hevc": HevcPackets,
    "mpeg4": lambda _: coded_pictures.look_at_mpeg4,
    "vp9": lambda _: Vp9Packets(),
    "av1": lambda _: Av1Packets(),
    "mjpeg": lambda _: coded_pictures.look_at_mjpeg,
}


def look_for(stream: VideoStream, *, avi: bool = False) -> Look | None:
    """None if nothing is known of the codec, or its head can't be parsed.

    A packet that can't be parsed counts as one frame: it is damaged, and decoding will tell.
    """
    codec = stream.codec_context.codec.canonical_name
    if codec not in _LOOKS:
        return None
    try:
        look = _LOOKS[codec](stream.codec_context.extradata)
    except (ValueError, LookupError, struct.error):
        return None
    if codec == "mpeg4" and avi:
        look = coded_pictures.look_at_mpeg4_in_avi

    def guarded(data: bytes, keyframe: bool) -> int:
        try:
            return look(data, keyframe)
        except (ValueError, LookupError):
            return ONE | ENTRY

    return guarded


def may_have_fields(stream: VideoStream) -> bool | None:
    """Whether H.264 video may be interlaced, though its first frames are not. None for others."""
    if stream.codec_context.codec.canonical_name != "h264":
        return None
    try:
        return H264Packets(stream.codec_context.extradata).may_have_fields
    except (ValueError, LookupError, struct.error):
        return True


def hole_finder(stream: VideoStream) -> Callable[[bytes], bool] | None:
    """What tells zeros in the place of a part of a picture, for codecs whose decoders do not."""
    if stream.codec_context.codec.canonical_name != "hevc":
        return None
    try:
        return HevcPackets(stream.codec_context.extradata).has_hole
    except (ValueError, LookupError, struct.error):
        return None
