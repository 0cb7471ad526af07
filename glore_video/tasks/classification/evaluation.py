"""Multi-view testing of a classifier: the logits of all views of each sample, and their results."""

from __future__ import annotations

import hashlib
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from glore_video.data.loader import views_loader
from glore_video.engine.protocols import Records
from glore_video.errors import Failure
from glore_video.tasks.classification.report import write_report
from glore_video.tasks.classification.results import (
    Scores,
    Summary,
    summarize,
    views_each,
    write_results,
)
from glore_video.tasks.classification.saved_scores import ViewPlan
from glore_video.tasks.classification.view_logits import Views, view_logits
from glore_video.tasks.sample_kinds import SampleKind
from glore_video.tasks.sample_sets import ViewsSet
from glore_video.tasks.score_keys import changes_scores

logger = logging.getLogger(__name__)


class LabelledSamples(Protocol):
    """The samples of the tested split and their classes."""

    def __len__(self) -> int: ...

    def path(self, index: int) -> str: ...

    def paths(self) -> Iterator[str]: ...

    @property
    def labels(self) -> np.ndarray:
        """int64 (samples,)."""

    @property
    def left_out(self) -> Sequence[Failure]:
        """Samples that are known to be bad: they have no place in the list."""


@dataclass(frozen=True, kw_only=True)
class ViewsEvaluation(ABC):
    """A classifier's test. A task brings its samples, their views and their pictures.

    Attributes:
        samples: the list.
        class_names: by label.
        kind: what the samples are.
        keys: plain values of the configuration's keys; see `changes_scores`.
    """

    samples: LabelledSamples
    class_names: tuple[str, ...]
    kind: SampleKind
    keys: Mapping[str, Any]

    @property
    def noun(self) -> str:
        """What a sample is, for messages."""
        return self.kind.noun

    @property
    @abstractmethod
    def plan(self) -> ViewPlan:
        """Which views are taken of a sample."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Of a view, (3, *positions)."""

    @abstractmethod
    def loader(self, indices: Sequence[int]) -> Iterable[Any]:
        """One item a sample, in this order: `index`, `views` (None if unreadable), `failures`."""

    @abstractmethod
    def frames(self, path: str) -> np.ndarray:
        """Pictures of a sample for the report, uint8 (pictures, height, width, 3)."""

    @property
    def record_shape(self) -> tuple[int, int]:
        return self.plan.views, len(self.class_names)

    @property
    def settings(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for path in self.samples.paths():
            digest.update(os.fsencode(path) + b"\0")
        digest.update(self.samples.labels.tobytes())
        kept = {key: value for key, value in self.keys.items() if changes_scores(key)}
        return {"list": digest.hexdigest(), **kept}

    def describe(self) -> str:
        return f"{len(self.samples)} {self.kind.plural}, {views_each(self.plan.views)}"

    def tested_form(self, network: nn.Module) -> nn.Module:
        return network

    def record(self, forward: Callable[[Tensor], Any], views: Views, batch_size: int) -> np.ndarray:
        return view_logits(forward, views, batch_size).numpy()

    def summarize(self, records: Records) -> Summary:
        return summarize(self._scores(records), self.plan.views)

    def write(
        self, folder: Path, records: Records, summary: Summary, facts: Mapping[str, Any]
    ) -> None:
        """summary.json, predictions.csv and scores.npz; the log says what is in them."""
        for path, reason in records.failed:
            logger.warning("not scored, unreadable: %s: %s", path, reason)
        for path, reason in self.samples.left_out:
            logger.warning("not scored, left out by the manifest: %s: %s", path, reason)
        write_results(
            folder,
            self._scores(records),
            summary,
            class_names=self.class_names,
            plan=self.plan,
            facts=facts,
        )
        if summary.samples_scored:
            line = summary.line(num_classes=len(self.class_names))
            logger.info("test: %s; results in %s", line, folder)
        if problem := summary.not_finite():
            logger.warning("%s; %s names them", problem, folder / "summary.json")

    def report(self, folder: Path, records: Records) -> None:
        """report.html."""
        saved = self._scores(records).saved(folder, self.class_names, self.plan)
        write_report(folder, scores=saved, frames_of=self.frames)

    def _scores(self, records: Records) -> Scores:
        return Scores(
            logits=records.values,
            labels=self.samples.labels[records.indices],
            paths=tuple(self.samples.path(index) for index in records.indices.tolist()),
            failed=records.failed,
            left_out=tuple(self.samples.left_out),
            kind=self.kind,
        )


@dataclass(frozen=True, kw_only=True)
class SetEvaluation(ViewsEvaluation):
    """A test of files, whose views a data set reads.

    Attributes:
        views: of all samples.
        num_workers: processes that read samples beside this one.
        stop_on_timeout: whether a sample that takes too long to read ends the test.
    """

    views: ViewsSet
    num_workers: int = 0
    stop_on_timeout: bool = False

    def loader(self, indices: Sequence[int]) -> Iterable[Any]:
        return views_loader(
            self.views.at(indices),
            num_workers=self.num_workers,
            pin_memory=self.keys.get("DATA_LOADER.PIN_MEMORY", False),
            stop_on_timeout=self.stop_on_timeout,
        )
