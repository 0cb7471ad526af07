"""The videos of a split: of a list, a manifest, Kinetics' annotation file or class folders."""

from __future__ import annotations

from pathlib import Path

from glore_video.data.class_lists import check_not_empty, check_some_exist, read_split
from glore_video.data.numbering import Numbering, list_of, manifest_beside
from glore_video.data.video.kinetics import is_annotation_file
from glore_video.data.video.kinetics_layouts import load_annotated
from glore_video.data.video.known_videos import load_manifest, with_manifest
from glore_video.data.video.manifest import is_manifest
from glore_video.data.video.video_files import VIDEOS
from glore_video.data.video.video_list import VideoList


def load_split(
    folder: str | Path,
    split: str,
    *,
    num_classes: int,
    prefix: str | Path = "",
    separator: str = " ",
    use_damaged: bool = False,
    numbering: Numbering | None = None,
) -> VideoList:
    """The videos of one split: `<split>.csv` in the folder, or a folder `<split>` of class folders.

    A list holds lines `path label` (split at the last separator), or is a manifest, or Kinetics'
    own annotation file (a header `label,youtube_id,time_start,time_end,...`). Relative paths start
    from `prefix`, or from the list's folder if that is empty. What a `<split>.manifest.csv` beside
    it knows of the videos is taken from there; alone it is a list too.

    Args:
        use_damaged: keep the videos that a manifest calls damaged, for what can be read of them.
        numbering: labels of class folders; by default those of `number_classes`.

    Raises:
        FileNotFoundError: there is no list and no folder, or none of the first videos exists.
        UsageError: a line can't be read, a label is not in 0 .. num_classes - 1, nothing is listed,
            a video has two labels, nothing tells the labels of class folders, or a manifest says
            that no video can be read.
    """
    folder = Path(folder)
    base = Path(prefix or folder)
    list_file = list_of(folder, split)
    manifest = manifest_beside(folder, split)
    if list_file is not None and is_manifest(list_file):
        videos = load_manifest(
            list_file, prefix=base, num_classes=num_classes, use_damaged=use_damaged
        )
    elif list_file is not None and is_annotation_file(list_file):
        videos = load_annotated(list_file, prefix=base, split=split, num_classes=num_classes)
    else:
        samples = read_split(
            VIDEOS,
            folder,
            split,
            num_classes=num_classes,
            prefix=base,
            separator=separator,
            numbering=numbering,
        )
        videos = VideoList.of(samples)
    if manifest != list_file and manifest.is_file() and is_manifest(manifest):
        videos = with_manifest(videos, manifest, prefix=base, use_damaged=use_damaged)
    check_not_empty(VIDEOS, videos)
    if list_file is not None:
        check_some_exist(VIDEOS, videos, bool(prefix))
    return videos
