"""`glore-video prepare-kinetics`: annotation files and a folder of videos -> lists of videos."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glore_video.cli.arguments import positive, seconds, whole
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import naming
from glore_video.processes.cpus import usable_cpus


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "prepare-kinetics",
        "Kinetics' annotation files and a folder of videos -> train.csv, val.csv, test.csv.",
        examples=["--train train.csv --val validate.csv --videos clips --out data"],
    )
    for split in ("train", "val", "test"):
        parser.add_argument(f"--{split}", type=Path, metavar="CSV", help="annotation file")
    parser.add_argument("--videos", type=Path, required=True, help="folder with the videos")
    parser.add_argument("--out", type=Path, required=True, help="folder for the lists")
    parser.add_argument(
        "--reencode",
        type=positive,
        metavar="PIXELS",
        help="encode the videos anew with this short side (256, 320) into OUT/videos",
    )
    parser.add_argument(
        "--gop", type=positive, default=30, help="frames between keyframes, at most"
    )
    parser.add_argument(
        "--crf",
        type=whole(0, 51),
        default=20,
        help="quality of libx264, 0 to 51, smaller is better; 0: without loss",
    )
    parser.add_argument("--processes", type=positive, default=usable_cpus())
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=600.0,
        metavar="SECONDS",
        help="for encoding one video",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    given = parser()
    args = given.parse_args(argv)
    annotations = {
        split: path for split in ("train", "val", "test") if (path := getattr(args, split))
    }
    if not annotations:
        given.error("give at least one of --train, --val, --test")
    return guarded(lambda: _prepare(args, annotations))


def _prepare(args: argparse.Namespace, annotations: dict[str, Path]) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.data.video.kinetics_lists import prepare_kinetics, report_lines
    from glore_video.data.video.reencoding import Encoding

    encoding = None
    if args.reencode is not None:
        with naming("--reencode"):
            encoding = Encoding(short_side=args.reencode, gop=args.gop, crf=args.crf)
    try:
        prepared = prepare_kinetics(
            annotations,
            args.videos,
            args.out,
            encoding=encoding,
            processes=args.processes,
            seconds=args.timeout,
        )
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise
    print("\n".join(report_lines(prepared)))
    print(f"wrote the lists and class_names.txt into {args.out}")
    return 0
