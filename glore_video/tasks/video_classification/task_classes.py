"""How many classes the data of a run have: MODEL.NUM_CLASSES 0."""

from __future__ import annotations

from glore_video.config import Config
from glore_video.data.numbering import Numbering, list_of
from glore_video.data.video.splits import load_split
from glore_video.errors import UsageError
from glore_video.tasks.video_classification.task_data import data_folder, load_numbering

_ANY_LABEL = 2**62


def count_classes(config: Config) -> tuple[int, str]:
    """The number of classes, and what tells it: names, the labels of a list, or class folders."""
    folder = data_folder(config)
    numbering = load_numbering(config, any_number=True)
    found: tuple[int, str] | None = None
    if numbering.names:
        found = len(numbering.names), numbering.source
    elif list_of(folder, "train") is not None:
        found = _count_labels(config, numbering)
    if found is None:
        raise UsageError(
            f"MODEL.NUM_CLASSES = 0 counts classes, but {folder} holds no class_names.txt, no "
            "train.csv and no train/ with a folder of videos for each class; say the number"
        )
    count, source = found
    if count < 2:
        raise UsageError(
            f"{source}: {count} class{'es' * (count != 1)}, but two at least are needed"
        )
    return count, source


def _count_labels(config: Config, numbering: Numbering) -> tuple[int, str]:
    videos = load_split(
        config.DATA.PATH_TO_DATA_DIR,
        "train",
        num_classes=_ANY_LABEL,
        prefix=config.DATA.PATH_PREFIX,
        separator=config.DATA.PATH_LABEL_SEPARATOR,
        numbering=numbering,
    )
    file = str(videos.source)
    labels = set(videos.labels.tolist())
    count = max(labels) + 1
    if len(labels) < count:
        missing = next(label for label in range(count) if label not in labels)
        raise UsageError(
            f"MODEL.NUM_CLASSES = 0 counts classes, but of the labels 0 to {count - 1} in {file} some "
            f"are missing, {missing} for one; say the number"
        )
    return count, file
