"""List files and class folders -> videos with labels. Errors name the file and the line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from glore_video.datasets.folders import (
    class_folders,
    empty_folders,
    is_video,
    listed,
    subfolders,
    videos_below,
)
from glore_video.datasets.kinetics import (
    Clip,
    is_annotation_file,
    kinetics400_class_names,
    read_annotations,
)
from glore_video.datasets.manifest import is_manifest, load_manifest
from glore_video.datasets.video_list import VideoList
from glore_video.errors import MissingFileError, UsageError

SPLITS = ("train", "val", "test")


def load_split(
    folder: str | Path,
    split: str,
    *,
    num_classes: int,
    prefix: str | Path = "",
    separator: str = " ",
    use_damaged: bool = False,
) -> VideoList:
    """The videos of one split: `<split>.csv` in the folder, or a folder `<split>` of class folders.

    A list holds lines `path label` (split at the last separator), or is a manifest, or Kinetics'
    own annotation file (a header `label,youtube_id,time_start,time_end,...`). Relative paths start
    from `prefix`, or from the list's folder if that is empty.

    Args:
        use_damaged: keep the videos that a manifest calls damaged, for what can be read of them.

    Raises:
        FileNotFoundError: there is no list and no folder, or none of the first videos exists.
        ValueError: a line can't be read, a label is not in 0 .. num_classes - 1, nothing is listed,
            or a manifest says that no video can be read.
    """
    folder = Path(folder)
    list_file = folder / f"{split}.csv"
    if list_file.is_file():
        base = Path(prefix or folder)
        if is_manifest(list_file):
            videos = _not_empty(
                load_manifest(
                    list_file, prefix=base, num_classes=num_classes, use_damaged=use_damaged
                )
            )
        elif is_annotation_file(list_file):
            videos = _load_kinetics(list_file, base, split, num_classes)
        else:
            videos = _load_list(list_file, base, separator, num_classes)
        _check_some_exist(videos, bool(prefix))
        return videos
    if (folder / split).is_dir():
        return _load_class_folders(folder, split, num_classes)
    raise MissingFileError(
        f"{list_file}: no such list (DATA.PATH_TO_DATA_DIR = {folder}); it needs lines such as "
        f"`videos/a.mp4 12`, a path and a label from 0 to {num_classes - 1}, or instead of it a "
        f"folder {folder / split} with a folder of videos for each class"
    )


def load_class_names(
    folder: str | Path, *, num_classes: int, file: str | Path = ""
) -> tuple[str, ...]:
    """Names by label, from: `file`; class_names.txt in the folder; its class folders; Kinetics-400.

    Where none of them fits, classes are called "class 0", "class 1", ...

    Raises:
        FileNotFoundError, ValueError: `file` is given and missing, or has not num_classes lines.
    """
    if file:
        if not Path(file).is_file():
            raise MissingFileError(f"DATA.CLASS_NAMES_PATH = {file}: no such file")
        return _read_names(Path(file), num_classes)
    own = Path(folder) / "class_names.txt"
    if own.is_file():
        return _read_names(own, num_classes)
    folders = _names_by_label(Path(folder), num_classes)
    if len(folders) == num_classes:
        return folders
    if num_classes == 400:
        return kinetics400_class_names()
    return tuple(f"class {label}" for label in range(num_classes))


def count_class_names(folder: str | Path, *, file: str | Path = "") -> tuple[int, Path] | None:
    """How many classes `file`, class_names.txt in the folder or its class folders name, and which.

    None where there are none of them, or a list, whose labels count for more than folders.
    """
    names = Path(file) if file else Path(folder) / "class_names.txt"
    if file and not names.is_file():
        raise MissingFileError(f"DATA.CLASS_NAMES_PATH = {file}: no such file")
    if names.is_file():
        return len(names.read_text(encoding="utf-8").splitlines()), names
    if any((Path(folder) / f"{split}.csv").is_file() for split in SPLITS):
        return None
    split = next((split for split in SPLITS if (Path(folder) / split).is_dir()), None)
    if split is None:
        return None
    return len(class_names_of_folders(Path(folder))), Path(folder) / split


def class_names_of_folders(folder: Path) -> tuple[str, ...]:
    """Sorted names of the class folders under train/, or else under val/ or test/."""
    for split in SPLITS:
        if (folder / split).is_dir():
            return class_folders(folder / split)
    return ()


def _names_by_label(folder: Path, num_classes: int) -> tuple[str, ...]:
    """Names of the class folders in the order of their labels; none where that is not known.

    Where there is a list, its labels count: the class folder that all videos of a label lie in.
    """
    list_file = next(
        (file for split in SPLITS if (file := folder / f"{split}.csv").is_file()), None
    )
    if list_file is None:
        return class_names_of_folders(folder)
    names = set().union(*(class_folders(folder / s) for s in SPLITS if (folder / s).is_dir()))
    if not names or is_manifest(list_file) or is_annotation_file(list_file):
        return ()
    by_label: dict[int, set[str]] = {}
    for _, line in _lines(list_file):
        path, _, label = line.rpartition(" ")
        if not label.isdecimal():
            return ()
        by_label.setdefault(int(label), set()).update(names.intersection(Path(path).parts[-2:-1]))
    found = [next(iter(each)) for _, each in sorted(by_label.items()) if len(each) == 1]
    whole = sorted(by_label) == list(range(num_classes)) and len(set(found)) == num_classes
    return tuple(found) if whole else ()


def _read_names(path: Path, num_classes: int) -> tuple[str, ...]:
    names = tuple(path.read_text(encoding="utf-8").splitlines())
    if len(names) != num_classes:
        raise UsageError(f"{path}: {len(names)} names, but MODEL.NUM_CLASSES = {num_classes}")
    return names


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file in UTF-8 ({error.reason})") from None


def _load_list(path: Path, prefix: Path, separator: str, num_classes: int) -> VideoList:
    paths, labels = [], []
    for number, name, label in read_list(path, separator):
        _check_label(label, num_classes, f"{path}:{number}")
        paths.append(os.path.join(prefix, name))
        labels.append(label)
    return _not_empty(VideoList(path, paths, labels))


def read_list(path: Path, separator: str) -> Iterator[tuple[int, str, int]]:
    """Line number, path and label of each line of a list.

    Raises ValueError that names file and line for one that can't be read.
    """
    for number, line in _lines(path):
        name, found, text = line.rpartition(separator)
        if not found or not name.strip():
            raise UsageError(
                f"{path}:{number}: {line!r}: a path and a label with {separator!r} between them "
                "are expected (DATA.PATH_LABEL_SEPARATOR)"
            )
        try:
            label = int(text)
        except ValueError:
            raise UsageError(
                f"{path}:{number}: label {text!r} is not a whole number (after the last "
                f"{separator!r}, DATA.PATH_LABEL_SEPARATOR)"
            ) from None
        yield number, name.strip(), label


def _check_label(label: int, num_classes: int, where: str) -> None:
    if not 0 <= label < num_classes:
        raise UsageError(
            f"{where}: label {label} is not in 0 .. {num_classes - 1} "
            f"(MODEL.NUM_CLASSES = {num_classes})"
        )


def _load_class_folders(root: Path, split: str, num_classes: int) -> VideoList:
    folder = root / split
    videos = {name: list(videos_below(folder / name)) for name in subfolders(folder)}
    videos = {name: paths for name, paths in videos.items() if paths}
    numbered_by = root / next(each for each in SPLITS if (root / each).is_dir())
    names = tuple(videos) if folder == numbered_by else class_names_of_folders(root)
    if not videos:
        raise UsageError(f"{folder}: no videos in it or below it{_differences(root, names)}")
    if len(names) != num_classes:
        raise UsageError(
            f"{numbered_by}: {len(names)} class folders, but MODEL.NUM_CLASSES = {num_classes}: "
            f"{listed(names) or 'none with a video'}{_differences(root, names)}"
        )
    label_of = {name: label for label, name in enumerate(names)}
    paths, labels = [], []
    for name, found in videos.items():
        if name not in label_of:
            raise UsageError(f"{folder / name}: class {name!r} is not among those of train/")
        paths += found
        labels += [label_of[name]] * len(found)
    return _not_empty(VideoList(folder, paths, labels))


def _differences(root: Path, names: Sequence[str]) -> str:
    """What else there is that may explain a number of classes, for the end of a message."""
    parts = []
    for split in SPLITS:
        if (root / split).is_dir():
            if empty := empty_folders(root / split):
                parts.append(f"in {split}/ there are no videos in {listed(empty)}")
            others = class_folders(root / split)
            if surplus := sorted(set(others) - set(names)):
                parts.append(f"{split}/ has {listed(surplus)} as well")
            if missing := sorted(set(names) - set(others)):
                parts.append(f"{split}/ lacks {listed(missing)}")
    return "".join(f"; {part}" for part in parts)


def _not_empty(videos: VideoList) -> VideoList:
    if len(videos) == 0:
        if videos.left_out:
            path, reason = videos.left_out[0]
            raise UsageError(
                f"{videos.source}: none of its {len(videos.left_out)} videos can be read, for "
                f"example {path}: {reason}"
            )
        raise UsageError(f"{videos.source}: no videos in it")
    return videos


def _check_some_exist(videos: VideoList, has_prefix: bool, among: int = 50) -> None:
    first = [videos.path(i) for i in range(min(among, len(videos)))]
    if not any(os.path.exists(path) for path in first):
        key = "DATA.PATH_PREFIX" if has_prefix else "DATA.PATH_PREFIX (empty: the list's folder)"
        raise MissingFileError(
            f"{videos.source}: none of its first {len(first)} videos exists, for example "
            f"{first[0]}; relative paths start from {key}"
        )


def _load_kinetics(path: Path, prefix: Path, split: str, num_classes: int) -> VideoList:
    if num_classes != 400:
        raise UsageError(
            f"{path}: a Kinetics-400 annotation file, but MODEL.NUM_CLASSES = {num_classes}; "
            "tools/prepare_kinetics.py makes lists for other Kinetics"
        )
    label_of = {name: label for label, name in enumerate(kinetics400_class_names())}
    clips, labels = [], []
    for line, clip in read_annotations(path):
        if clip.label not in label_of:
            raise UsageError(f"{path}:{line}: {clip.label!r} is no class of Kinetics-400")
        clips.append(clip)
        labels.append(label_of[clip.label])
    folders = [f"{above}{below}" for above in ("", split) for below in ("", "/{label}", "/{under}")]
    files = _FilesByName()
    layout = max(
        folders, key=lambda each: sum(files.has(prefix, each, clip) for clip in clips[:100])
    )
    paths = [files.path(prefix, layout, clip) for clip in clips]
    return _not_empty(VideoList(path, paths, labels))


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
            self._folders[folder] = {os.path.splitext(n)[0]: n for n in names if is_video(n)}
        return self._folders[folder]
