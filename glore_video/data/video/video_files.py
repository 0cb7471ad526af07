"""Which files are videos, and what the lists of videos hold: `path label`, a manifest, Kinetics' own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from glore_video.data.list_files import read_list
from glore_video.data.sample_kind import SampleKind, numbered_names
from glore_video.data.told_labels import Told, finder
from glore_video.data.video.kinetics import is_annotation_file, kinetics400_class_names
from glore_video.data.video.manifest import is_manifest, read_labels
from glore_video.errors import UsageError

# Containers and raw streams that the readers know, by the suffixes of their files.
VIDEO_SUFFIXES = frozenset(
    """
    .264 .265 .3g2 .3gp .3gp2 .3gpp .amv .asf .av1 .avc .avi .divx .dv .dvr-ms .f4v .flv .gif .h264 .h265
    .hevc .ivf .m1v .m2p .m2t .m2ts .m2v .m4v .mjpeg .mjpg .mk3d .mkv .mod .mov .mp4 .mp4v .mpe .mpeg
    .mpeg4 .mpg .mpv .mts .mxf .nut .obu .ogm .ogv .qt .rm .rmvb .tod .trp .ts .vob .vro .webm .wmv .wtv
    .xvid .y4m
    """.split()
)

# Of Matroska and WebM, FLV, ASF (WMV), MPEG-1 and 2.
_BEGINNINGS = (
    b"\x1a\x45\xdf\xa3",
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    b"\x00\x00\x01\xba",
    b"\x00\x00\x01\xb3",
)


def _begins_like_a_video(head: bytes) -> bool:
    """Whether a file begins as those of the usual containers do: what no suffix tells."""
    return (
        head[4:8] in (b"ftyp", b"moov")  # MP4, QuickTime
        or head.startswith(_BEGINNINGS)
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head[:377:188] == b"GGG"  # the packets of a transport stream
    )


def _read_list(file: Path, separator: str) -> Iterator[tuple[int, str, int]]:
    """Line number, path and label of each line of a list of videos or a manifest.

    Raises UsageError for Kinetics' annotation files too, which do not say where their videos lie.
    """
    if is_manifest(file):
        return read_labels(file)
    if is_annotation_file(file):
        raise UsageError(
            f"{file}: an annotation file of Kinetics; glore-video prepare-kinetics makes a list of "
            "it and of the videos that are there"
        )
    return read_list(file, separator)


def _told_by_kinetics(file: Path, known: Sequence[str]) -> Told | None:
    """The labels of the known classes that are Kinetics-400's, where the list is Kinetics' own."""
    if not is_annotation_file(file):
        return None
    kinetics = {name: label for label, name in enumerate(kinetics400_class_names())}
    find = finder(kinetics)
    theirs = {name: kinetics[same] for name in known if (same := find(name))}
    return Told(str(file), theirs, "" if theirs else "its classes are Kinetics-400's")


def _usual_names(num_classes: int) -> tuple[str, ...]:
    return kinetics400_class_names() if num_classes == 400 else numbered_names(num_classes)


VIDEOS = SampleKind(
    "video",
    example="videos/a.mp4",
    suffixes=VIDEO_SUFFIXES,
    begins=_begins_like_a_video,
    read_list=_read_list,
    told_by_names=_told_by_kinetics,
    usual_names=_usual_names,
)
