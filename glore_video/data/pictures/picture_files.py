"""Which files are pictures."""

from __future__ import annotations

from glore_video.data.pictures.imagenet_classes import IMAGENET_CLASSES, imagenet_names
from glore_video.data.sample_kind import SampleKind, numbered_names

# Of what images/opening.py reads.
PICTURE_SUFFIXES = frozenset(
    """
    .apng .bmp .dib .gif .jfif .jpe .jpeg .jpg .mpo .pbm .pgm .png .pnm .ppm .tif .tiff .webp
    """.split()
)
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
)


def _begins_like_a_picture(head: bytes) -> bool:
    """Whether a file begins as those of the usual formats do: what no suffix tells."""
    return head.startswith(_BEGINNINGS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _usual_names(num_classes: int) -> tuple[str, ...]:
    return imagenet_names() if num_classes == len(IMAGENET_CLASSES) else numbered_names(num_classes)


PICTURES = SampleKind(
    "picture",
    example="pictures/a.jpg",
    suffixes=PICTURE_SUFFIXES,
    begins=_begins_like_a_picture,
    usual_names=_usual_names,
)
