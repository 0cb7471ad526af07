"""Several tests of the same samples: which sample of the one is which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol

from glore_video.choices import Match, check_choice
from glore_video.errors import UsageError
from glore_video.tasks.sample_kinds import SampleKind

Key = tuple[str, int]
"""Of a sample: its path or name, and how many times that came before in the list."""


class HasPaths(Protocol):
    """What was read from one test."""

    @property
    def source(self) -> str: ...

    @property
    def paths(self) -> tuple[str, ...]: ...


class HasClasses(Protocol):
    """What was read from one test."""

    @property
    def source(self) -> str: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def kind(self) -> SampleKind: ...


class HasKeys(HasClasses, Protocol):
    """What was read from one test."""

    @property
    def keys(self) -> tuple[Key, ...]: ...


def sample_keys(scores: HasPaths, match: Match = "path") -> list[Key]:
    """(path, how many times it came before in the list) of each sample: no two are the same.

    match: "name" leaves the folders away, for lists that name the same samples on different disks.

    Raises:
        ValueError: with "name", if samples in different folders have the same name.
    """
    check_choice("match", match, Match)
    seen: dict[str, tuple[str, int]] = {}
    keys = []
    for path in scores.paths:
        key = PurePath(path).name if match == "name" else path
        other, times = seen.get(key, (path, 0))
        if other != path:
            raise UsageError(
                f"{scores.source}: {other} and {path} have the same name, they can't be matched by it"
            )
        keys.append((key, times))
        seen[key] = path, times + 1
    return keys


def check_same_classes(runs: Sequence[HasClasses]) -> None:
    """Raises ValueError unless all have the samples' kind and the classes of the first, in its order."""
    first = runs[0]
    for run in runs[1:]:
        if run.kind != first.kind:
            raise UsageError(
                f"{run.source} is of {run.kind.plural}, {first.source} of {first.kind.plural}"
            )
        if run.class_names == first.class_names:
            continue
        if len(run.class_names) != len(first.class_names):
            difference = f"{len(run.class_names)} against {len(first.class_names)}"
        else:
            pairs = zip(run.class_names, first.class_names, strict=True)
            number, (mine, other) = next((n, p) for n, p in enumerate(pairs) if p[0] != p[1])
            difference = f"class {number} is {mine!r} against {other!r}"
        raise UsageError(
            f"{run.source} and {first.source}: the classes are not the same, {difference}"
        )


class UnmatchedSamplesError(UsageError):
    """Runs that have not scored the same samples.

    Attributes:
        problem: what is missing where, without advice.
        common: number of samples that all runs have.
        kind: what they are.
    """

    def __init__(self, problem: str, common: int, kind: SampleKind) -> None:
        advice = 'match="name" in load_predictions leaves folders away'
        if common:
            advice = f"allow_missing=True compares the {common} {kind.plural} that all have"
        super().__init__(f"{problem}; {advice}")
        self.problem = problem
        self.common = common
        self.kind = kind


def common_samples(
    runs: Sequence[HasKeys], allow_missing: bool
) -> tuple[list[Key], dict[str, tuple[str, ...]]]:
    """The samples that all runs have, in the order of the first, and what each run lacks.

    Raises:
        ValueError: the classes differ; a run lacks samples and that is not allowed; none is left.
    """
    check_same_classes(runs)
    kind = runs[0].kind
    sets = [set(run.keys) for run in runs]
    everywhere = set.intersection(*sets)
    anywhere = set.union(*sets)
    missing = {
        run.source: tuple(sorted(path for path, _ in anywhere - own))
        for run, own in zip(runs, sets, strict=True)
        if anywhere - own
    }
    if missing and not allow_missing:
        lacking = "; ".join(
            f"{source} lacks {len(paths)} ({paths[0]}{', ...' * (len(paths) > 1)})"
            for source, paths in missing.items()
        )
        raise UnmatchedSamplesError(f"the lists do not match: {lacking}", len(everywhere), kind)
    if not everywhere:
        raise UnmatchedSamplesError(f"there is no {kind.noun} that all runs have scored", 0, kind)
    return [key for key in runs[0].keys if key in everywhere], missing
