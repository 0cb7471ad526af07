"""`glore-video compare`: whether tests on the same videos differ by more than chance."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from glore_video.choices import Correction, Match
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "compare",
        "Is the difference real? Tests on the same videos, compared one by one.",
        notes="A run is its OUTPUT_DIR, test folder or scores.npz. Of several, each is compared "
        "with the first. With --a and --b, run n of the one group is paired with run n of the other.",
        examples=[
            "outputs/a outputs/b --out outputs/comparison",
            "--a outputs/a1 outputs/a2 --b outputs/b1 outputs/b2",
        ],
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="two or more")
    parser.add_argument("--a", nargs="+", default=[], metavar="RUN", help="seeds of one network")
    parser.add_argument("--b", nargs="+", default=[], metavar="RUN", help="seeds of the other")
    parser.add_argument(
        "--allow-missing", action="store_true", help="compare the videos that all runs have"
    )
    parser.add_argument(
        "--match",
        choices=get_args(Match),
        default="path",
        help="videos are the same if their paths are (default), or their file names",
    )
    parser.add_argument(
        "--correction",
        choices=get_args(Correction),
        default="holm",
        help="for many classes: Holm (default) or Benjamini-Hochberg",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write comparison.json and comparison.html"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _compare(args))


def _compare(args: argparse.Namespace) -> int:
    if args.runs and (args.a or args.b):
        raise UsageError("give either runs or the groups --a and --b, not both")
    if bool(args.a) != bool(args.b) or (len(args.runs) < 2 and not args.a):
        raise UsageError("two runs are needed, or the groups --a and --b")

    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.tasks.classification.alignment import UnmatchedSamplesError, load_predictions
    from glore_video.tasks.classification.comparison import Comparison, compare
    from glore_video.tasks.classification.comparison_page import text_lines, write_comparison

    first = [load_predictions(path, match=args.match) for path in args.a or args.runs[:1]]
    seconds = [args.b] if args.b else [[path] for path in args.runs[1:]]
    comparisons: list[Comparison] = []
    for paths in seconds:
        second = [load_predictions(path, match=args.match) for path in paths]
        try:
            comparisons.append(
                compare(first, second, allow_missing=args.allow_missing, correction=args.correction)
            )
        except UnmatchedSamplesError as error:
            advice = (
                f"--allow-missing compares the {error.common} {error.kind.plural} that all have"
            )
            if not error.common:
                advice = "--match name leaves folders away"
            raise UsageError(f"{error.problem}; {advice}") from None
    print("\n".join(text_lines(comparisons)))
    if args.out:
        write_comparison(args.out, comparisons)
        print(f"wrote {args.out / 'comparison.html'}")
    return 0
