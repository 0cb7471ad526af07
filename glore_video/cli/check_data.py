"""`glore-video check-data`: look at every sample once, before a run does."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from glore_video.cli.arguments import positive, seconds, separator
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError
from glore_video.processes.cpus import usable_cpus
from glore_video.tasks import CHECKS


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "check-data",
        "Decode every video once and write a manifest; decode every picture; hold every mask against its "
        "picture and its classes.",
        notes="Which task's samples they are is told by what lies there. Of pictures and masks a table is "
        "written, and the exit status is 2 if any can't be used.",
        examples=[
            "my_videos/train",
            "/data/k400/train.csv --processes 16",
            "/data/imagenet/train",
            "/data/cityscapes --split val",
        ],
    )
    parser.add_argument(
        "source",
        type=Path,
        help="list, folder of class folders, or folder of videos or pictures; of masks the data folder",
    )
    parser.add_argument(
        "--task", choices=tuple(CHECKS), help="whose samples they are (default: it is told)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="manifest or table to write (default: train.manifest.csv beside train.csv or the folder "
        "train, where runs look for it; of pictures and masks train.check.csv)",
    )
    parser.add_argument("--split", metavar="NAME", help="of masks: of this split alone (val)")
    parser.add_argument(
        "--like",
        type=Path,
        metavar="PATH",
        help="of class folders: give them the labels of these class folders, this data folder, this "
        "list, or this .txt with a class name a line; of masks: such a .txt",
    )
    parser.add_argument("--prefix", help="folder that relative paths start from")
    parser.add_argument(
        "--separator",
        type=separator,
        help=r"what stands between path and label (default: a space); \t: a tab",
    )
    parser.add_argument(
        "--processes",
        type=positive,
        default=usable_cpus(),
        help="files that are decoded at the same time",
    )
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="for one video (default: 300)"
    )
    parser.add_argument(
        "--again", action="store_true", help="decode also videos that were found bad before"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="of videos: official list of names, or annotation file",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _check(args))


def _check(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.tasks import check_of
    from glore_video.tasks.sample_checks import CheckRequest

    task, check = check_of(args.task, args.source, args.separator or " ")
    for flag in (
        "--split",
        "--like",
        "--prefix",
        "--separator",
        "--timeout",
        "--again",
        "--against",
    ):
        if vars(args)[flag.strip("-")] and flag not in check.FLAGS:
            raise UsageError(f"{flag}: means nothing to {args.source}, which is checked for {task}")
    request = CheckRequest(
        source=args.source,
        out=args.out,
        split=args.split or "",
        prefix=args.prefix or "",
        separator=args.separator or " ",
        like=args.like,
        at_once=args.processes,
        seconds=args.timeout or 300.0,
        again=args.again,
        against=args.against,
    )
    return check.check(request, partial(print, flush=True))
