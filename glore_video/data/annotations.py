"""List files and class folders -> videos with labels. Errors name the file and the line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from glore_video.data.class_folders import class_folders, class_videos, empty_folders
from glore_video.data.folders import LeftOut, is_video, listed
from glore_video.data.list_files import OneLabel, read_list
from glore_video.data.numbering import (
    SPLITS,
    Numbering,
    list_of,
    manifest_beside,
    number_classes,
    read_names,
)
from glore_video.data.unicode_names import other_form, same_letters
from glore_video.data.video.kinetics import (
    Clip,
    is_annotation_file,
    kinetics400_class_names,
    read_annotations,
)
from glore_video.data.video.known_videos import with_manifest
from glore_video.data.video.manifest import is_manifest, load_manifest
from glore_video.data.video.video_list import VideoList
from glore_video.errors import MissingFileError, UsageError


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
        videos = _load_kinetics(list_file, base, split, num_classes)
    elif list_file is not None:
        videos = _load_list(list_file, base, separator, num_classes)
    elif (folder / split).is_dir():
        numbering = numbering or number_classes(
            folder, num_classes=num_classes, separator=separator
        )
        videos = _load_class_folders(folder, split, num_classes, numbering)
    else:
        raise MissingFileError(
            f"{folder / split}.csv: no such list (DATA.PATH_TO_DATA_DIR = {folder}); it needs lines "
            f"such as `videos/a.mp4 12`, a path and a label from 0 to {num_classes - 1}, or instead of "
            f"it a folder {folder / split} with a folder of videos for each class"
        )
    if manifest != list_file and manifest.is_file() and is_manifest(manifest):
        videos = with_manifest(videos, manifest, prefix=base, use_damaged=use_damaged)
    _not_empty(videos)
    if list_file is not None:
        _check_some_exist(videos, bool(prefix))
    return videos


def load_class_names(
    folder: str | Path, *, num_classes: int, file: str | Path = "", separator: str = " "
) -> tuple[str, ...]:
    """Names by label, from: `file`; class_names.txt in the folder; its class folders; Kinetics-400.

    Where none of them fits, classes are called "class 0", "class 1", ...

    Args:
        folder: of the lists or class folders; empty: there is none.

    Raises:
        FileNotFoundError: `file` is given and missing.
        UsageError: it has not num_classes lines, or what is in the folder contradicts itself.
    """
    if not folder:
        return read_names(Path(file), num_classes) if file else _default_names(num_classes)
    numbering = number_classes(
        Path(folder), names_file=file, num_classes=num_classes, separator=separator
    )
    return names_of(numbering, num_classes)


def names_of(numbering: Numbering, num_classes: int) -> tuple[str, ...]:
    """Names by label: those of a numbering that has so many, else Kinetics-400's or "class 0", ..."""
    fit = len(numbering.names) == num_classes
    return numbering.names if fit else _default_names(num_classes)


def _default_names(num_classes: int) -> tuple[str, ...]:
    if num_classes == 400:
        return kinetics400_class_names()
    return tuple(f"class {label}" for label in range(num_classes))


def _load_list(path: Path, prefix: Path, separator: str, num_classes: int) -> VideoList:
    paths, labels = [], []
    one_label = OneLabel(path)
    for line, name, label in read_list(path, separator):
        _check_label(label, num_classes, f"{path}:{line}")
        one_label.add(name, label, line)
        paths.append(os.path.join(prefix, name))
        labels.append(label)
    one_label.check()
    return VideoList(path, paths, labels)


def _check_label(label: int, num_classes: int, where: str) -> None:
    if not 0 <= label < num_classes:
        raise UsageError(
            f"{where}: label {label} is not in 0 .. {num_classes - 1} "
            f"(MODEL.NUM_CLASSES = {num_classes})"
        )


def _load_class_folders(
    root: Path, split: str, num_classes: int, numbering: Numbering
) -> VideoList:
    folder = root / split
    left_out = LeftOut()
    videos = class_videos(folder, left_out)
    names = list(numbering.labels)
    if not videos:
        raise UsageError(f"{folder}: no videos in it or below it{_differences(root, names)}")
    if numbering.by_order and len(names) != num_classes:
        raise UsageError(
            f"{numbering.source}: {len(names)} class folders, but MODEL.NUM_CLASSES = {num_classes}: "
            f"{listed(names) or 'none with a video'}{_differences(root, names)}"
        )
    label_of = numbering.of_folders(folder, videos)
    paths, labels = [], []
    for name, found in videos.items():
        _check_label(label_of[name], num_classes, f"{folder / name} ({numbering.source})")
        paths += found
        labels += [label_of[name]] * len(found)
    notes = list(left_out.notes(folder))
    there = set(label_of.values())
    if lacking := [name for name, label in numbering.labels.items() if label not in there]:
        notes.append(f"{folder}: no videos of {listed(lacking)}")
    return VideoList(folder, paths, labels, notes=notes)


def _differences(root: Path, names: Sequence[str]) -> str:
    """What else there is that may explain a number of classes, for the end of a message."""
    parts = []
    for split in SPLITS:
        if (root / split).is_dir():
            if empty := empty_folders(root / split):
                parts.append(f"in {split}/ there are no videos in {listed(empty)}")
            others = {same_letters(name) for name in class_folders(root / split)}
            if surplus := sorted(others - set(names)):
                parts.append(f"{split}/ has {listed(surplus)} as well")
            if missing := sorted(set(names) - others):
                parts.append(f"{split}/ lacks {listed(missing)}")
    return "".join(f"; {part}" for part in parts)


def _not_empty(videos: VideoList) -> None:
    if len(videos) == 0:
        if videos.left_out:
            path, reason = videos.left_out[0]
            raise UsageError(
                f"{videos.source}: none of its {len(videos.left_out)} videos can be read, for "
                f"example {path}: {reason}"
            )
        raise UsageError(f"{videos.source}: no videos in it")


def _check_some_exist(videos: VideoList, has_prefix: bool, among: int = 50) -> None:
    first = [videos.path(i) for i in range(min(among, len(videos)))]
    if not any(os.path.exists(path) for path in first):
        key = "DATA.PATH_PREFIX" if has_prefix else "DATA.PATH_PREFIX (empty: the list's folder)"
        raise MissingFileError(
            f"{videos.source}: none of its first {len(first)} videos exists, for example "
            f"{first[0]}{other_form(first[0])}; relative paths start from {key}"
        )


def _load_kinetics(path: Path, prefix: Path, split: str, num_classes: int) -> VideoList:
    if num_classes != 400:
        raise UsageError(
            f"{path}: a Kinetics-400 annotation file, but MODEL.NUM_CLASSES = {num_classes}; "
            "tools/prepare_kinetics.py makes lists for other Kinetics"
        )
    label_of = {name: label for label, name in enumerate(kinetics400_class_names())}
    clips, labels = [], []
    one_label = OneLabel(path)
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

    def has(self, prefix: Path, layout: str, clip: Clip) -> bool:
        return clip.name in self._names(self._folder(prefix, layout, clip))

    def path(self, prefix: Path, layout: str, clip: Clip) -> str:
        """Also of one that is not there, as an mp4."""
        folder = self._folder(prefix, layout, clip)
        return os.path.join(folder, self._names(folder).get(clip.name, f"{clip.name}.mp4"))

    def _folder(self, prefix: Path, layout: str, clip: Clip) -> str:
        below = layout.format(label=clip.label, under=clip.label.replace(" ", "_"))
        return os.path.join(prefix, below.lstrip("/"))

    def _names(self, folder: str) -> dict[str, str]:
        if folder not in self._folders:
            names = os.listdir(folder) if os.path.isdir(folder) else []
            self._folders[folder] = {
                os.path.splitext(name)[0]: name
                for name in names
                if is_video(os.path.join(folder, name))
            }
        return self._folders[folder]
