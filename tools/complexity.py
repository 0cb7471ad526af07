"""What networks cost: python tools/complexity.py --model glore_r50_8x8 --cfg configs/k400_glore_r50.yaml"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.arguments import Parser, positive
from glore_video.cli import guarded
from glore_video.errors import naming
from glore_video.streams import as_command

if TYPE_CHECKING:
    from glore_video.models.complexity_table import Row


def parser() -> argparse.ArgumentParser:
    parser = Parser(
        description=__doc__,
        epilog="Without --model and --cfg: all networks of the zoo. A network of the zoo is counted "
        "with the input and the views that it is published with, a config with those of its test.",
    )
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="repeatable")
    parser.add_argument("--cfg", action="append", default=[], metavar="FILE", help="repeatable")
    parser.add_argument(
        "--crop", type=positive, metavar="PIXELS", help="instead of the published crop"
    )
    parser.add_argument("--frames", type=positive, help="instead of the published number")
    parser.add_argument("--views", type=positive, help="instead of the published number")
    parser.add_argument("--markdown", action="store_true", help="one table, for a README")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: _print(args))


def _print(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.models import list_models
    from glore_video.models.complexity_table import markdown, text
    from glore_video.prediction.terminal import Bar

    rows = _rows(args)
    if args.markdown:
        total = len(args.model) + len(args.cfg) or len(list_models())
        done: list[Row] = []
        with Bar("networks") as bar:
            bar(0, total)
            for row in rows:
                done.append(row)
                bar(len(done), total)
        print(markdown(done))
    else:
        for number, row in enumerate(rows):
            print(f"{chr(10) if number else ''}{text(row)}", flush=True)
    return 0


def _rows(args: argparse.Namespace) -> Iterator[Row]:
    from glore_video.config import load_config, with_values
    from glore_video.engine.build import build_model
    from glore_video.models import create_model, list_models
    from glore_video.models.complexity_table import measure, protocol
    from glore_video.prediction.terminal import check_model_name

    names = args.model or ([] if args.cfg else list_models())
    for name in args.model:
        check_model_name(name)
    for name in names:
        model = create_model(name)
        frames, crop, views = protocol(name)
        frames, crop = args.frames or frames, args.crop or crop
        with naming(f"--model {name}, --frames {frames}, --crop {crop}"):
            row = measure(name, model, frames=frames, crop=crop, views=args.views or views)
        yield row
    for path in args.cfg:
        config = load_config(path)
        if not config.MODEL.NUM_CLASSES:  # as many as data have that are not named here
            config = with_values(config, {"MODEL.NUM_CLASSES": 400})
        yield measure(
            Path(path).stem,
            build_model(config),
            frames=args.frames or config.DATA.NUM_FRAMES,
            crop=args.crop or config.DATA.TEST_CROP_SIZE,
            views=args.views or config.TEST.NUM_ENSEMBLE_VIEWS * config.TEST.NUM_SPATIAL_CROPS,
        )


if __name__ == "__main__":
    sys.exit(as_command(main))
