"""Tasks by name; one folder a task, and classification/ is what the classifying ones share."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from glore_video.errors import UsageError

if TYPE_CHECKING:
    from glore_video.config import Config
    from glore_video.tasks.protocol import RunTask

TASKS = {
    "video_classification": "glore_video.tasks.video_classification.task:VideoClassification",
    "image_classification": "glore_video.tasks.image_classification.task:ImageClassification",
}
"""Name, as the key TASK has it -> module:class that takes a Config. Imported when it is named."""


def task_of(config: Config) -> RunTask:
    """The task of a run. Nothing is read yet.

    Raises UsageError for a TASK that is not known.
    """
    if config.TASK not in TASKS:
        near = get_close_matches(config.TASK, TASKS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"TASK = {config.TASK!r}: no such task; {hint}known: {', '.join(TASKS)}")
    module, _, name = TASKS[config.TASK].partition(":")
    task: RunTask = getattr(import_module(module), name)(config)
    return task
