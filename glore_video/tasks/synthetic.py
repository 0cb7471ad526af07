"""Rendered data sets in a run's configuration: the section SYNTHETIC."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from glore_video.config import Config
from glore_video.data.relations.rendered_folder import OtherFilesError, OtherParametersError
from glore_video.errors import UsageError, naming

logger = logging.getLogger(__name__)


RELATIONS = ("pair", "same")
"""SYNTHETIC.LABELS of the data sets whose samples are labelled by how two objects relate."""
STREETS = ("lamp",)
"""And of the one whose pictures have masks."""


def check_labels(config: Config, known: Sequence[str]) -> None:
    """Raises UsageError for SYNTHETIC.LABELS that a task renders nothing for."""
    labels = config.SYNTHETIC.LABELS
    if labels not in ("none", *known):
        raise UsageError(
            f"SYNTHETIC.LABELS = {labels}: TASK = {config.TASK} renders {' or '.join(known)}"
        )


@contextmanager
def in_synthetic_keys(config: Config, samples: str, for_own: str) -> Iterator[None]:
    """While a data set is rendered: a line says so, and errors name the keys.

    Args:
        config: of the run; it renders.
        samples: what is rendered, "videos".
        for_own: what is made for samples of the user's own, in words.
    """
    synthetic, folder = config.SYNTHETIC, config.DATA.PATH_TO_DATA_DIR
    if not Path(folder).exists():
        count = synthetic.NUM_TRAIN + synthetic.NUM_VAL
        logger.info("rendering %d %s into %s", count, samples, folder)
    with naming("DATA.PATH_TO_DATA_DIR"):
        try:
            yield
        except OtherParametersError as error:
            raise UsageError(_in_keys(error, config, samples)) from None
        except OtherFilesError as error:
            raise UsageError(
                f"{error}, and SYNTHETIC.LABELS = {synthetic.LABELS} renders {samples} into a folder "
                f"of their own. To train on what is there: SYNTHETIC.LABELS none; {for_own}"
            ) from None


def _in_keys(error: OtherParametersError, config: Config, samples: str) -> str:
    keys = {name.lower(): f"SYNTHETIC.{name}" for name in type(config.SYNTHETIC).model_fields}
    differing = "; ".join(
        f"{keys.get(name, name)} = {asked!r}, there {found!r}"
        for name, (found, asked) in error.differing.items()
        if name != "class_names"  # they follow from the labels
    )
    return f"{error.root} holds other synthetic {samples}: {differing}; name another folder to render into"
