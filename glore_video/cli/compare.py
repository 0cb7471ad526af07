"""`glore-video compare`: whether tests on the same videos or pictures differ by more than chance."""

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
        "Is the difference real? Tests on the same videos or pictures, compared one by one.",
        notes="A run is its OUTPUT_DIR, test folder, scores.npz or, of a segmentation, confusions.npz. Of several, each is compared "
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
        "--allow-missing",
        action="store_true",
        help="compare the videos or pictures that all runs have",
    )
    parser.add_argument(
        "--match",
        choices=get_args(Match),
        default="path",
        help="they are the same if their paths are (default), or their file names",
    )
    parser.add_argument(
        "--correction",
        choices=get_args(Correction),
        help="of classifiers, for many classes: Holm (default) or Benjamini-Hochberg",
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
    from glore_video.tasks import saved_tests_of
    from glore_video.tasks.sample_matching import UnmatchedSamplesError
    from glore_video.tasks.saved_tests import CompareRequest

    first = args.a or args.runs[:1]
    others = [args.b] if args.b else [[path] for path in args.runs[1:]]
    comparison = saved_tests_of([*first, *(path for paths in others for path in paths)])
    if args.correction and "--correction" not in comparison.FLAGS:
        raise UsageError(f"--correction: tests of {comparison.WORDS} have no tests to correct")
    request = CompareRequest(
        first=first,
        others=others,
        match=args.match,
        allow_missing=args.allow_missing,
        correction=args.correction,
    )
    try:
        found = comparison.compared(request)
    except UnmatchedSamplesError as error:
        advice = f"--allow-missing compares the {error.common} {error.kind.plural} that all have"
        if not error.common:
            advice = "--match name leaves folders away"
        raise UsageError(f"{error.problem}; {advice}") from None
    print("\n".join(found.lines))
    if args.out:
        found.write(args.out)
        print(f"wrote {args.out / 'comparison.html'}")
    return 0
