"""What reading costs as videos are stored, what it would cost stored otherwise, and advice."""

from __future__ import annotations

import math
from collections.abc import Sequence

from glore_video.data.video.manifest import ManifestRow

# CPU milliseconds for a clip of 8 frames, stride 8, from 340x256 H.264 of 300 frames: 34 with a
# keyframe every 250 frames, where 179 frames are decoded on average, and 21 with one every 30, where
# 72 are (PyAV, unwanted non-reference frames dropped). How either part grows with the pixels was
# fitted to 640x480 and 1280x720: the ratios that benchmarks/storage.py measures, within a quarter.
_FIXED = 12.3
_PER_FRAME = 0.1215
_WITHOUT_PIXELS = 0.7  # share of _PER_FRAME that is the same for pictures of any size
_PIXELS = 340 * 256
_SPAN = 57
_GOP = 30


def clip_milliseconds(*, frames: int, gop: int, width: int, height: int) -> float:
    """Estimated CPU milliseconds to read a training clip of 8 frames, stride 8, from H.264.

    Decoding begins at the keyframe before the clip. Only ratios mean something elsewhere.

    Args:
        frames: of the video.
        gop: frames from one keyframe to the next.
        width, height: of a frame, pixels.
    """
    span = min(_SPAN, frames)
    starts = frames - span + 1
    whole, rest = divmod(starts, gop)
    before = (whole * gop * (gop - 1) + rest * (rest - 1)) / 2 / starts  # mean of start % gop
    pixels = width * height / _PIXELS
    per_frame = _PER_FRAME * (_WITHOUT_PIXELS + (1 - _WITHOUT_PIXELS) * pixels)
    return _FIXED * pixels + per_frame * (before + span)


def advice_lines(rows: Sequence[ManifestRow], *, short_side: int = 256) -> list[str]:
    """What encoding anew with short GOPs and small pictures would save, as estimated; for H.264."""
    good = [row for row in rows if row.status == "ok" and row.gop and row.codec == "h264"]
    if not good:
        return []
    now = small = short = both = 0.0
    for row in good:
        scale = min(1.0, short_side / min(row.width, row.height))
        size = {"width": math.ceil(row.width * scale), "height": math.ceil(row.height * scale)}
        stored = {"width": row.width, "height": row.height}
        gop = min(row.gop, _GOP)
        now += clip_milliseconds(frames=row.frames, gop=row.gop, **stored)
        small += clip_milliseconds(frames=row.frames, gop=row.gop, **size)
        short += clip_milliseconds(frames=row.frames, gop=gop, **stored)
        both += clip_milliseconds(frames=row.frames, gop=gop, **size)
    gops = sorted(row.gop for row in good)
    sides = sorted(min(row.width, row.height) for row in good)
    lines = [
        f"H.264: a keyframe at least every {gops[len(gops) // 2]} frames, short side "
        f"{sides[len(sides) // 2]} pixels (medians)"
    ]
    if now < 1.15 * both:
        return [*lines, "they read about as fast as they can; encoding them anew would gain little"]
    lines.append(
        f"reading a training clip (8 frames, stride 8) would take an estimated {now / both:.1f}x "
        f"less CPU time with a keyframe every {_GOP} frames and a short side of {short_side} "
        f"({now / short:.1f}x by the keyframes alone, {now / small:.1f}x by the size alone):"
    )
    lines.append(
        f"  as glore-video prepare-kinetics --reencode {short_side} --gop {_GOP} makes them"
    )
    return lines
