"""`glore-video report`: build report.html again from what a test left."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from glore_video.choices import Backend
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "report", "Build report.html again from what a test left.", examples=["outputs/x"]
    )
    parser.add_argument("folder", type=Path, help="OUTPUT_DIR of a run, or its test folder")
    parser.add_argument(
        "--no-pictures", action="store_true", help="do not read the worst videos or pictures again"
    )
    parser.add_argument(
        "--backend", choices=get_args(Backend), help="that reads videos (default: pyav)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _build(args))


def _build(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.tasks import saved_tests_of

    tests = saved_tests_of([str(args.folder)])
    if args.backend and "--backend" not in tests.FLAGS:
        raise UsageError(f"--backend: {args.folder} is a test of {tests.WORDS}, without videos")
    written = tests.rebuilt(
        args.folder, pictures=not args.no_pictures, backend=args.backend or "pyav"
    )
    print(f"wrote {written}")
    return 0
