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


class _Scan:
    """What the packets of a stream tell, taken one after the other in the order of the file."""

    def __init__(self, stream: VideoStream, formats: Sequence[str]) -> None:
        self._context = stream.codec_context
        self._codec = self._context.codec.canonical_name
        self._avi = "avi" in formats
        self._look = look_for(stream, avi=self._avi)
        if self._avi:
            self.exact = self._codec in _IN_ORDER_IN_AVI
        else:
            timed = not _TIMED_CONTAINERS.isdisjoint(formats)
            self.exact = self._codec in _ONE_FRAME_A_PACKET and timed and self._look is not None
        self.shown: list[int] = []
        self.keyframes: list[int] = []
        self.edited = self.open_gop = self.partial = False
        self.last_dts: int | None = None
        self._newest: int | None = None  # latest time of a frame that is shown
        self._last_keyframe: int | None = None

    def take(self, packet: av.Packet) -> None:
        if packet.size == 0:
            self.exact &= packet.pts is None and packet.dts is None  # else an empty frame
            return
        if packet.is_corrupt:
            self.partial = True
            return
        pts, self.last_dts = packet.pts, packet.dts
        if self.partial:  # not the end after all; only decoding tells what is left
            self.partial = self.exact = False
        if pts is None or (self._avi and pts != self.last_dts):
            self.exact = False
            return
        found = ENTRY
        if self.exact and self._look is not None:
            found = self._look(bytes(packet), packet.is_keyframe)
            self.exact = bool(found & ONE)
        if packet.is_keyframe:
            self._take_keyframe(pts, found)
        elif self._last_keyframe is None or pts < self._last_keyframe:
            self.open_gop = True
        if packet.is_discard:
            self.edited = True
        else:
            self.shown.append(pts)
            if self._newest is None or pts > self._newest:
                self._newest = pts

    def _take_keyframe(self, pts: int, found: int) -> None:
        self._last_keyframe = pts
        if found & ENTRY:
            self.keyframes.append(pts)
        self.open_gop |= self._codec == "h264" and not found & CLEAN
        # Frames that an edit list repeats, or a clock that was set back: decoders show them in the
        # order in which they are stored.
        self.exact &= self._newest is None or self._newest < pts

    def index(self, *, cut_off: bool) -> PacketIndex:
        exact = self.exact
        if exact and self._codec == "h264":
            # Decoders hold back so many frames at most: one that comes too late they leave out.
            exact = _reorder_depth(self.shown) <= self._context.reorder_depth
        shown, keyframes = sorted(self.shown), sorted(self.keyframes)
        once = len(set(shown)) == len(shown)
        # What a decoder shows of frames before the first keyframe is up to it.
        enters = bool(shown and keyframes) and keyframes[0] <= shown[0]
        return PacketIndex(
            pts=tuple(shown),
            keyframes=tuple(keyframes),
            exact=exact and once and enters,
            edited=self.edited,
            open_gop=self.open_gop,
            cut_off=cut_off,
        )


def read_packets(
    container: InputContainer, stream: VideoStream, *, cut_off: bool = False
) -> tuple[PacketIndex, int]:
    """Demux the container to its end; seek before decoding from it.

    cut_off: whether it is known to be, whatever its last packet looks like.

    Returns the index, and how many of its frames are certain to be the first ones that the file
    was made with. Of a file that was cut off, those are fewer: frames that are stored after the
    cut may be shown before some that lie before it. They can't be shown before they are decoded.
    """
    scan = _Scan(stream, container.format.name.split(","))
    try:
        for packet in container.demux(stream):
            scan.take(packet)
    except av.error.FFmpegError:
        scan.partial = True
    packets = scan.index(cut_off=cut_off or scan.partial)
    whole = len(packets.pts)
    if packets.cut_off and scan.last_dts is not None:
        whole = bisect_right(packets.pts, scan.last_dts)
    return packets, whole
