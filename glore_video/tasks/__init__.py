"""Tasks by name; one folder a task, and classification/ is what the classifying ones share."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from glore_video.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from glore_video.config import Config
    from glore_video.engine.precision import Precision
    from glore_video.tasks.predictor import Predictor
    from glore_video.tasks.protocol import RunTask
    from glore_video.tasks.sample_checks import SampleCheck
    from glore_video.tasks.saved_tests import SavedTests

TASKS = {
    "video_classification": "glore_video.tasks.video_classification.task:VideoClassification",
    "image_classification": "glore_video.tasks.image_classification.task:ImageClassification",
    "segmentation": "glore_video.tasks.segmentation.task:Segmentation",
}
"""Name, as the key TASK has it -> module:class that takes a Config. Imported when it is named."""

PUBLISHED = (
    "glore_video.tasks.video_classification.published",
    "glore_video.tasks.image_classification.published",
    "glore_video.tasks.segmentation.published",
)
"""Modules that show files to published networks, see `published_predictor`."""

CHECKS = {
    "segmentation": "glore_video.tasks.segmentation.checking",
    "image_classification": "glore_video.tasks.image_classification.checking",
    "video_classification": "glore_video.tasks.video_classification.checking",
}
"""Task -> module that checks its samples before a run; the last one takes what no other does."""

SAVED_TESTS = (
    "glore_video.tasks.classification.saved_tests",
    "glore_video.tasks.segmentation.saved_tests",
)
"""Modules that know what tests have left, see `saved_tests_of`."""


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


def check_of(task: str | None, source: Path, separator: str) -> tuple[str, SampleCheck]:
    """What checks the samples of a list or folder, and whose they are.

    Args:
        task: of CHECKS; None: the first that takes what lies there.
    """
    for name in [task] if task else CHECKS:
        module = cast("SampleCheck", import_module(CHECKS[name]))
        if task or module.takes(source, separator):
            return name, module
    raise AssertionError(f"no check takes {source}")


def saved_tests_of(paths: Sequence[str]) -> SavedTests:
    """What compares tests that lie there, and writes their pages anew.

    Raises MissingFileError and UsageError where there are none, or of several tasks.
    """
    from glore_video.tasks.saved_tests import of_one_task

    return of_one_task([cast("SavedTests", import_module(path)) for path in SAVED_TESTS], paths)


def published_predictor(
    name: str,
    network: nn.Module,
    *,
    class_names: tuple[str, ...] = (),
    precision: Precision,
    source: str = "",
) -> Predictor:
    """A network by name in eval mode, shown files as its publishers show them.

    Args:
        class_names: by default those that it was published with.

    Raises UsageError for a network whose inputs no task makes.
    """
    for path in PUBLISHED:
        module = import_module(path)
        if module.takes(name):
            predictor: Predictor = module.published_predictor(
                name, network, class_names=class_names, precision=precision, source=source
            )
            return predictor
    raise UsageError(f"{name}: no task makes predictions with networks of its kind")


def published_name(network: nn.Module) -> str:
    """A name of networks that are shown what this one is; "" if it is of another kind."""
    return next(filter(None, (import_module(path).name_of(network) for path in PUBLISHED)), "")
