"""Keys that say "as many as there are": the number of classes, and a GPU where there is one."""

from __future__ import annotations

import logging

import torch

from glore_video.config import Config, with_values
from glore_video.errors import UsageError
from glore_video.runs.named_network import with_published_input
from glore_video.tasks import task_of

logger = logging.getLogger(__name__)


def settled(config: Config, *, needs_data: bool = True) -> Config:
    """The configuration with MODEL.NUM_CLASSES 0 and NUM_GPUS -1 replaced by what they stand for.

    What it leaves unset of clips and colours is what MODEL.NAME was published with.

    Args:
        needs_data: False: where no data tell the number of classes, it is a usual one.

    Raises ValueError if the number of classes is wanted and nothing tells it.
    """
    config = with_published_input(config)
    values: dict[str, object] = {}
    if config.NUM_GPUS < 0:
        values["NUM_GPUS"] = min(1, torch.cuda.device_count())
    if not config.MODEL.NUM_CLASSES:
        values["MODEL.NUM_CLASSES"] = _counted_or_usual(config, needs_data=needs_data)
    return with_values(config, values) if values else config


def _counted_or_usual(config: Config, *, needs_data: bool) -> int:
    task = task_of(config)
    try:
        count, source = task.count_classes()
    except UsageError:
        if needs_data:
            raise
        logger.info("MODEL.NUM_CLASSES %d is taken: no data tell the number", task.usual_classes)
        return task.usual_classes
    logger.info("MODEL.NUM_CLASSES %d, from %s", count, source)
    return count


def count_classes(config: Config) -> int | None:
    """How many classes the data have; None where nothing tells it."""
    try:
        return task_of(config).count_classes()[0]
    except UsageError:
        return None
