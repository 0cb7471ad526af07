"""What a test with fewer views would have said, and several networks averaged, from saved logits.

A test with fewer clips takes the same frames as some of the saved clips only where their starts
coincide. With spacing "slowfast" clip i of N starts at i / N of the slack: a test with M > 1 clips
has its clips among those of N if M divides N. With spacing "ends" it is i / (N - 1), and M - 1 has
to divide N - 1. A test with one clip takes the middle one, whose start is rounded up: no saved clip
is always the same, but the one in the middle of an even N ("slowfast") or odd N ("ends") starts
there or one frame before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glore_video.choices import Match, Merging, ViewSpacing
from glore_video.errors import UsageError
from glore_video.tasks.classification.saved_scores import SavedScores, ViewPlan
from glore_video.tasks.classification.views_merging import merged_probabilities
from glore_video.tasks.sample_matching import check_same_classes, sample_keys


@dataclass(frozen=True)
class ViewChoice:
    """Some of the views of a test.

    Attributes:
        views: their places among the saved ones, in the order of a test.
        exact: a test with so many clips and crops takes these very views.
        notes: why not, or under which condition; empty if there is nothing to say.
    """

    views: tuple[int, ...]
    exact: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Ensemble:
    """Predictions from some views of one or several tests.

    Attributes:
        probabilities: float64 (samples, classes), rows sum to 1.
        labels: int64 (samples,).
        paths: of the samples.
        choice: the views that were taken; of several tests, those of the first.
    """

    probabilities: torch.Tensor
    labels: torch.Tensor
    paths: tuple[str, ...]
    choice: ViewChoice


def crops_to_choose(plan: ViewPlan) -> tuple[int, ...]:
    """Numbers of crops that a test with fewer may have: the middle one of three, or all."""
    return (1, 3) if plan.crops == 3 else (plan.crops,)


def choose_views(plan: ViewPlan, *, clips: int, crops: int) -> ViewChoice:
    """The views that a test with so many clips and crops takes, or those that come nearest.

    Raises:
        ValueError: there are fewer clips, the crops are not of `crops_to_choose`, or the plan does not
            say how its clips are spaced and that matters.
    """
    if not 1 <= clips <= plan.clips:
        raise UsageError(f"clips must be 1 to {plan.clips}, those that were scored; got {clips}")
    if crops not in crops_to_choose(plan):
        allowed = "1 or 3" if plan.crops == 3 else f"{plan.crops}, as it was scored"
        raise UsageError(f"crops must be {allowed}; got {crops}")
    chosen, exact, note = _choose_clips(plan, clips)
    notes = [note] if note else []
    middle = plan.crops == 3 and crops == 1
    if middle:
        side = f" {plan.short_side}" if plan.short_side else ""
        notes.append(
            "the middle crop: what a test with 1 crop takes if DATA.TEST_SHORT_SIDE is the short "
            f"side{side} of this test"
        )
    places = (1,) if middle else tuple(range(crops))
    views = tuple(clip * plan.crops + crop for clip in chosen for crop in places)
    return ViewChoice(views, exact, tuple(notes))


def _choose_clips(plan: ViewPlan, wanted: int) -> tuple[list[int], bool, str]:
    """Clips, whether a test takes these very ones, and what is to be said."""
    saved = plan.clips
    if wanted == saved:
        return list(range(saved)), True, ""
    if plan.spacing is None:
        raise UsageError(
            f"{wanted} of {saved} clips: the scores do not say how their clips are spaced; "
            'give the spacing, "slowfast" or "ends" (TEST.VIEW_SPACING of the test)'
        )
    ends = plan.spacing == "ends"
    saved_steps = max(1, saved - 1) if ends else saved
    steps = wanted - 1 if ends else wanted
    if wanted == 1:
        place = saved_steps // 2
        near = "there or one frame before" if saved_steps % 2 == 0 else "before it"
        return (
            [place],
            False,
            f"clip {place} of 0 to {saved - 1}: a test with 1 clip takes the middle, this one starts {near}",
        )
    if saved_steps % steps == 0:
        return [i * (saved_steps // steps) for i in range(wanted)], True, ""
    nearest = [(2 * i * saved_steps + steps - 1) // (2 * steps) for i in range(wanted)]
    return (
        nearest,
        False,
        (
            f"clips {', '.join(map(str, nearest))} of 0 to {saved - 1}: the nearest to those of a test "
            f"with {wanted} clips, which are not among them"
        ),
    )


def ensemble(
    runs: Sequence[SavedScores],
    *,
    clips: int,
    crops: int,
    method: Merging = "mean",
    spacing: ViewSpacing | None = None,
    match: Match = "path",
) -> Ensemble:
    """Predictions from so many clips and crops; of several tests, the mean of their probabilities.

    Args:
        runs: tests of the same samples, in any order of the list.
        spacing: of tests whose files do not say it.
        match: by what the samples of several tests are matched, see sample_keys.

    Raises:
        ValueError: the tests do not have the same samples, labels and classes, or `choose_views`
            can't choose.
    """
    if not runs:
        raise UsageError("no scores are given")
    first = runs[0]
    check_same_classes(runs)
    keys = sample_keys(first, match) if len(runs) > 1 else []
    total = torch.zeros(len(first.paths), len(first.class_names), dtype=torch.float64)
    choices = []
    for run in runs:
        plan = ViewPlan(
            clips=run.plan.clips,
            crops=run.plan.crops,
            spacing=run.plan.spacing or spacing,
            short_side=run.plan.short_side,
        )
        try:
            choice = choose_views(plan, clips=clips, crops=crops)
        except ValueError as error:
            raise UsageError(f"{run.source}: {error}") from None
        choices.append(choice)
        logits = torch.from_numpy(run.logits)
        if choice.views != tuple(range(plan.views)):
            logits = logits[:, list(choice.views)]
        order = torch.from_numpy(_order(first, keys, run, match))
        total += merged_probabilities(logits, method=method)[order]
    notes = tuple(dict.fromkeys(note for choice in choices for note in choice.notes))
    exact = all(choice.exact for choice in choices)
    return Ensemble(
        probabilities=total / len(runs),
        labels=torch.from_numpy(first.labels),
        paths=first.paths,
        choice=ViewChoice(choices[0].views, exact, notes),
    )


def _order(
    first: SavedScores, keys: list[tuple[str, int]], run: SavedScores, match: Match
) -> np.ndarray:
    """Where each sample of the first test is in the other one."""
    if run.paths == first.paths:
        order = np.arange(len(first.paths))
    else:
        places = {key: place for place, key in enumerate(sample_keys(run, match))}
        missing = [key[0] for key in keys if key not in places]
        surplus = [key[0] for key in places.keys() - set(keys)]
        if missing or surplus:
            raise UsageError(
                f"{run.source}: not the {run.kind.plural} of {first.source}: "
                f"{_named(missing, 'missing')}, "
                f"{_named(sorted(surplus), 'surplus')}"
            )
        order = np.array([places[key] for key in keys], dtype=np.int64)
    other = np.flatnonzero(run.labels[order] != first.labels)
    if len(other):
        raise UsageError(
            f"{run.source}: {len(other)} {run.kind.plural} have another label than in "
            f"{first.source}, {first.paths[other[0]]} among them"
        )
    return order


def _named(paths: list[str], what: str) -> str:
    return f"{len(paths)} {what}" + (f" ({paths[0]}{', ...' * (len(paths) > 1)})" if paths else "")
