"""`glore-video ensemble`: accuracy with fewer views, or of several networks averaged (late fusion)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from glore_video.choices import Match, Merging, ViewSpacing
from glore_video.cli.arguments import list_of, positive
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError, writing

if TYPE_CHECKING:
    from glore_video.tasks.classification import SavedScores


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "ensemble",
        "Accuracy with fewer views, or of several networks averaged, from the logits that tests left.",
        notes="Several files are averaged (late fusion); their lists must hold the same videos. "
        "With `mean` and the views marked = the accuracy is the one that a test with so many views "
        "reports; views marked ~ come nearest to it.",
        examples=[
            "outputs/x/test/scores.npz --clips 1,3,5,10 --crops 1,3",
            "outputs/x outputs/y",
        ],
    )
    parser.add_argument(
        "scores", nargs="+", metavar="SCORES", help="scores.npz, test folder or OUTPUT_DIR"
    )
    parser.add_argument(
        "--clips", type=list_of(positive), metavar="1,5,10", help="numbers of clips (default: all)"
    )
    parser.add_argument(
        "--crops", type=list_of(positive), metavar="1,3", help="numbers of crops (default: all)"
    )
    parser.add_argument(
        "--method", action="append", choices=get_args(Merging), help="repeatable; mean"
    )
    parser.add_argument(
        "--spacing", choices=get_args(ViewSpacing), help="of files that do not say it"
    )
    parser.add_argument(
        "--match",
        choices=get_args(Match),
        default="path",
        help="videos are the same if their paths are (default), or their file names",
    )
    parser.add_argument("--exact", action="store_true", help="refuse views that only come nearest")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers, too")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _print(args))


def _print(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.files.whole_files import for_json
    from glore_video.tasks.classification import load_scores
    from glore_video.tasks.classification.metrics import top5_tells

    runs = [load_scores(path) for path in args.scores]
    most_clips = min(run.plan.clips for run in runs)
    most_crops = min(run.plan.crops for run in runs)
    _check_views(args, runs, most_clips, most_crops)
    kind = runs[0].kind
    print(
        f"{len(runs[0].paths)} {kind.plural}, {len(runs)} {'test' if len(runs) == 1 else 'tests'}"
    )
    show_top5 = top5_tells(len(runs[0].class_names))
    top5 = f"{'top-5':>6}  " if show_top5 else ""
    print(f"{'clips x crops':>13}  {'method':<10}  {'top-1':>6}  {top5}{'class mean':>10}")
    rows, notes = [], dict[str, None]()  # each note once
    for clips, crops, method in product(
        args.clips or [most_clips], args.crops or [most_crops], args.method or ["mean"]
    ):
        row, found = _merged(args, runs, clips, crops, method)
        top5 = f"{row[kind.top_key(5)]:>6.2f}  " if show_top5 else ""
        print(
            f"{clips:>6} x {crops:<2} {'=' if row['exact'] else '~'}   {method:<10}  "
            f"{row[kind.top_key(1)]:>6.2f}  {top5}{row['mean_class_accuracy']:>10.2f}"
        )
        rows.append(row)
        notes |= dict.fromkeys(f"{clips} x {crops}, {note}" for note in found)
    for note in notes:
        print(note)
    if args.json:
        written = {"scores": [run.source for run in runs], "ensembles": for_json(rows)}
        text = json.dumps(written, indent=2)
        with writing(args.json):
            args.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _merged(
    args: argparse.Namespace, runs: Sequence[SavedScores], clips: int, crops: int, method: Merging
) -> tuple[dict[str, Any], list[str]]:
    """The accuracies of so many views, as --json writes them, and notes on them."""
    from glore_video.tasks.classification import ensemble
    from glore_video.tasks.classification.metrics import accuracies
    from glore_video.tasks.classification.ranking import finite_rows

    result = ensemble(
        runs, clips=clips, crops=crops, method=method, spacing=args.spacing, match=args.match
    )
    choice = result.choice
    if args.exact and not choice.exact:
        raise UsageError(f"--exact: {'; '.join(choice.notes)}")
    numbers = accuracies(result.probabilities, result.labels)
    kind = runs[0].kind
    row = {
        "clips": clips,
        "crops": crops,
        "method": method,
        "exact": choice.exact,
        "views": list(choice.views),
        kind.top_key(1): numbers.top1,
        kind.top_key(5): numbers.top5,
        "mean_class_accuracy": numbers.class_mean,
    }
    notes = list(choice.notes)
    bad = int((~finite_rows(result.probabilities)).sum())
    if bad:
        notes.append(f"the scores of {bad} {kind.plural} are not finite")
    return row, notes


def _check_views(
    args: argparse.Namespace, runs: Sequence[SavedScores], most_clips: int, most_crops: int
) -> None:
    """Raises ValueError for views that were not scored."""
    for clips in args.clips or ():
        if clips > most_clips:
            raise UsageError(f"--clips {clips}: {most_clips} were scored, so 1 to {most_clips}")
    for crops in args.crops or ():
        if crops not in ((1, 3) if most_crops == 3 else (most_crops,)):
            allowed = "1 or 3" if most_crops == 3 else f"{most_crops}, as it was scored"
            raise UsageError(f"--crops {crops}: must be {allowed}")
    for run in runs:
        fewer = any(clips != run.plan.clips for clips in args.clips or [most_clips])
        if fewer and not (run.plan.spacing or args.spacing):
            raise UsageError(
                f"{run.source} does not say how its clips are spaced: --spacing slowfast or ends "
                "(TEST.VIEW_SPACING of the test)"
            )
