"""Where the videos of a Kinetics annotation file lie: in one folder, or in folders of splits or classes."""

from __future__ import annotations

import os
from pathlib import Path

from glore_video.data.list_files import OneLabel
from glore_video.data.video.kinetics import (
    AnnotatedClip,
    kinetics400_class_names,
    read_annotations,
)
from glore_video.data.video.video_files import VIDEOS
from glore_video.data.video.video_list import VideoList
from glore_video.errors import UsageError


def load_annotated(path: Path, *, prefix: Path, split: str, num_classes: int) -> VideoList:
    """The videos of a Kinetics-400 annotation file, in whatever of the usual layouts they lie.

    Raises UsageError for other numbers of classes, lines that can't be read, and clips with two labels.
    """
    if num_classes != 400:
        raise UsageError(
            f"{path}: a Kinetics-400 annotation file, but MODEL.NUM_CLASSES = {num_classes}; "
            "glore-video prepare-kinetics makes lists for other Kinetics"
        )
    label_of = {name: label for label, name in enumerate(kinetics400_class_names())}
    clips, labels = [], []
    one_label = OneLabel(path, "video")
    for line, clip in read_annotations(path):
        if clip.label not in label_of:
            raise UsageError(f"{path}:{line}: {clip.label!r} is no class of Kinetics-400")
        clips.append(clip)
        labels.append(label_of[clip.label])
        one_label.add(clip.name, label_of[clip.label], line)
    one_label.check()
    folders = [f"{above}{below}" for above in ("", split) for below in ("", "/{label}", "/{under}")]
    files = _FilesByName()
    layout = max(
        folders, key=lambda each: sum(files.has(prefix, each, clip) for clip in clips[:100])
    )
    paths = [files.path(prefix, layout, clip) for clip in clips]
    return VideoList(path, paths, labels)


class _FilesByName:
    """Videos of Kinetics' clips, whatever their suffix; each folder is read once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, str]] = {}  # names by names without suffix

    def has(self, prefix: Path, layout: str, clip: AnnotatedClip) -> bool:
        return clip.name in self._names(self._folder(prefix, layout, clip))

    def path(self, prefix: Path, layout: str, clip: AnnotatedClip) -> str:
        """Also of one that is not there, as an mp4."""
        folder = self._folder(prefix, layout, clip)
        return os.path.join(folder, self._names(folder).get(clip.name, f"{clip.name}.mp4"))

    def _folder(self, prefix: Path, layout: str, clip: AnnotatedClip) -> str:
        below = layout.format(label=clip.label, under=clip.label.replace(" ", "_"))
        return os.path.join(prefix, below.lstrip("/"))

    def _names(self, folder: str) -> dict[str, str]:
        if folder not in self._folders:
            names = os.listdir(folder) if os.path.isdir(folder) else []
            self._folders[folder] = {
                os.path.splitext(name)[0]: name
                for name in names
                if VIDEOS.holds(os.path.join(folder, name))
            }
        return self._folders[folder]
