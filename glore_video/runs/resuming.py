"""Whether a run may go on from the checkpoint in its OUTPUT_DIR."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from glore_video.config import Config, changes
from glore_video.engine.batch_norms import freeze_affine
from glore_video.engine.checkpoint import latest_readable
from glore_video.engine.protocols import SampleList, Words
from glore_video.engine.resume import restore_network, trained_samples
from glore_video.errors import UsageError
from glore_video.runs.solver import build_solver

logger = logging.getLogger(__name__)

_SHOWN = 6


@dataclass(frozen=True)
class Resumed:
    """What of a checkpoint is compared with the data, once they are known."""

    path: Path
    class_names: Sequence[str] | None
    num_samples: int | None

    def check_data(
        self,
        config: Config,
        class_names: Sequence[str],
        train: SampleList | None,
        words: Words,
    ) -> None:
        """Raises UsageError if the samples or classes are others than those trained on so far."""
        differing = []
        if self.class_names is not None and list(self.class_names) != list(class_names):
            pairs = zip(self.class_names, class_names, strict=False)
            first = next((place for place, (a, b) in enumerate(pairs) if a != b), None)
            differing.append(
                f"{len(class_names)} classes, were {len(self.class_names)}"
                if first is None
                else f"class {first} is {class_names[first]!r}, was {self.class_names[first]!r}"
            )
        if train is not None and self.num_samples not in (None, len(train)):
            differing.append(f"{len(train)} training {words.samples}, were {self.num_samples}")
        _refuse(self.path, differing, config)


def check_resumable(config: Config, model: nn.Module) -> Resumed | None:
    """Compare this configuration with the run that it goes on with, before anything is written.

    Settings that differ and do not change what is trained are logged.

    Args:
        model: as `build_model` makes it; it gets the checkpoint's weights.

    Returns None if there is no checkpoint to go on from.

    Raises UsageError if settings that change what is trained are others than before, unless
    TRAIN.RESUME_CHANGED, if more epochs are done than wanted, or if the network or optimiser is
    another.
    """
    found = latest_readable(config.OUTPUT_DIR, warn=False)
    if found is None:
        return None
    path, state = found
    before = state.get("config")
    differing = changes(before, config) if isinstance(before, dict) else []
    free = [str(change) for change in differing if not change.binding]
    if state["epoch"] > config.SOLVER.MAX_EPOCH:
        raise UsageError(
            f"SOLVER.MAX_EPOCH = {config.SOLVER.MAX_EPOCH}, but {path} has {state['epoch']} epochs: "
            "TRAIN.ENABLE False tests it; TRAIN.AUTO_RESUME False or another OUTPUT_DIR starts anew"
        )
    _refuse(path, [str(change) for change in differing if change.binding], config)
    if config.BN.FREEZE_AFFINE:
        freeze_affine(model)
    restore_network(state, path, model, build_solver(config, model, log=False))
    if free:
        logger.info("going on from %s with other settings: %s", path, "; ".join(free))
    return Resumed(path, state.get("class_names"), trained_samples(state))


def _refuse(path: Path, differing: Sequence[str], config: Config) -> None:
    if not differing:
        return
    shown = "; ".join(differing[:_SHOWN])
    if len(differing) > _SHOWN:
        shown += f" and {len(differing) - _SHOWN} more"
    if config.TRAIN.RESUME_CHANGED:
        logger.warning("going on from %s with other settings than it had: %s", path, shown)
        return
    raise UsageError(
        f"{path} was trained with other settings: {shown}; TRAIN.RESUME_CHANGED True goes on with "
        "the new ones, TRAIN.AUTO_RESUME False or another OUTPUT_DIR starts anew"
    )
