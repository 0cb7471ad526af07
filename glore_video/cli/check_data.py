"""`glore-video check-data`: decode every video once and write a manifest."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glore_video.cli.arguments import positive, seconds, separator
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.processes.cpus import usable_cpus


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "check-data",
        "Decode every video once and write a manifest.",
        examples=["my_videos/train", "/data/k400/train.csv --processes 16"],
    )
    parser.add_argument(
        "source", type=Path, help="list, folder of class folders, or folder of videos"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="manifest to write (default: train.manifest.csv beside train.csv or the folder train, "
        "where runs look for it)",
    )
    parser.add_argument(
        "--like",
        type=Path,
        metavar="PATH",
        help="of class folders: give them the labels of these class folders, this data folder, this "
        "list, or this .txt with a class name a line",
    )
    parser.add_argument("--prefix", default="", help="folder that relative paths start from")
    parser.add_argument(
        "--separator",
        type=separator,
        default=" ",
        help=r"what stands between path and label; \t: a tab",
    )
    parser.add_argument("--processes", type=positive, default=usable_cpus())
    parser.add_argument(
        "--timeout", type=seconds, default=300.0, metavar="SECONDS", help="for one video"
    )
    parser.add_argument(
        "--again", action="store_true", help="decode also what was found bad before"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="official list of names, or annotation file"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _check(args))


def _check(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.data.check_sources import list_samples
    from glore_video.data.video.checking import check_videos, summary_lines
    from glore_video.data.video.kinetics_coverage import compare_with_names
    from glore_video.data.video.manifest_place import manifest_of, use_line
    from glore_video.data.video.reading_cost import advice_lines
    from glore_video.data.video.video_files import VIDEOS

    source: Path = args.source
    manifest: Path = args.out or manifest_of(source)
    if args.against:
        compare_with_names([], args.against)  # to know now, and not hours later, that it is no list
    listing = list_samples(
        VIDEOS,
        source,
        manifest,
        prefix=args.prefix,
        separator=args.separator,
        like=args.like,
    )
    for note in listing.notes:
        print(note, flush=True)
    try:
        rows = check_videos(
            listing,
            manifest,
            processes=args.processes,
            seconds=args.timeout,
            check_bad_again=args.again,
        )
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise
    print("\n".join([*summary_lines(rows), *advice_lines(rows)]))
    if args.against:
        there = [row.path for row in rows if row.status != "missing"]
        compared = compare_with_names(there, args.against)
        print(
            f"of the {compared.expected} videos of {args.against}, {len(compared.missing)} are "
            f"missing; {len(compared.surplus)} videos are not among them"
        )
        for name, each in (("missing", compared.missing), ("surplus", compared.surplus)):
            path = manifest.with_name(f"{manifest.name}.{name}.txt")
            path.write_text(
                "".join(f"{line}\n" for line in each), encoding="utf-8", errors="surrogateescape"
            )
            print(f"  {path}: the names of the {name} ones")
    print(f"wrote {manifest}\n{use_line(manifest, args.prefix)}")
    return 0
