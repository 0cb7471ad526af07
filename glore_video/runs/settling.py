"""Keys that say "as many as there are": the number of classes, and a GPU where there is one."""

from __future__ import annotations

import logging

import torch

from glore_video.config import Config, with_values
from glore_video.data.numbering import Numbering, list_of
from glore_video.data.video.splits import load_split
from glore_video.errors import UsageError
from glore_video.runs.named_network import with_published_input
from glore_video.tasks.video_classification.task_data import data_folder, load_numbering

logger = logging.getLogger(__name__)

_ANY_LABEL = 2**62


def settled(config: Config) -> Config:
    """The configuration with MODEL.NUM_CLASSES 0 and NUM_GPUS -1 replaced by what they stand for.

    What it leaves unset of clips and colours is what MODEL.NAME was published with.

    Raises ValueError if the number of classes is wanted and nothing tells it.
    """
    config = with_published_input(config)
    values: dict[str, object] = {}
    if config.NUM_GPUS < 0:
        values["NUM_GPUS"] = min(1, torch.cuda.device_count())
    if not config.MODEL.NUM_CLASSES:
        values["MODEL.NUM_CLASSES"], source = _counted(config)
        logger.info("MODEL.NUM_CLASSES %d, from %s", values["MODEL.NUM_CLASSES"], source)
    return with_values(config, values) if values else config


def count_classes(config: Config) -> int | None:
    """How many classes the data have; None where nothing tells it."""
    try:
        return _counted(config)[0]
    except UsageError:
        return None


def _counted(config: Config) -> tuple[int, str]:
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
