"""`glore-video report`: build report.html again from what a test left."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from glore_video.choices import Backend
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "report", "Build report.html again from what a test left.", examples=["outputs/x"]
    )
    parser.add_argument("folder", type=Path, help="OUTPUT_DIR of a run, or its test folder")
    parser.add_argument(
        "--no-pictures", action="store_true", help="do not read the worst mistakes' videos"
    )
    parser.add_argument("--backend", choices=get_args(Backend), default="pyav")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _build(args))


def _build(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.tasks.classification.report import write_report
    from glore_video.video.stills import sample_frames

    folder: Path = args.folder
    if not (folder / "scores.npz").is_file() and (folder / "test").is_dir():
        folder = folder / "test"
    frames_of = None if args.no_pictures else partial(sample_frames, backend=args.backend)
    print(f"wrote {write_report(folder, frames_of=frames_of)}")
    return 0
