"""`glore-video complexity`: multiply-adds, activations and parameters of networks, by stage and kind."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.cli.arguments import CFG_HELP, positive
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError, naming

if TYPE_CHECKING:
    from torch import nn

    from glore_video.models.deployment.complexity_table import CostRow


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "complexity",
        "What networks cost: multiply-adds, activations and parameters.",
        notes="Without --model and --cfg: all networks of the zoo. A network by name is counted "
        "with the input and the views that it is published with, a config with those of its test.",
        examples=[
            "--model glore_r50_8x8 --cfg k400_glore_r50",
            "--model timm/resnet50 --list-blocks",
            "--table imagenet --markdown",
            "--model timm/resnet50 --glore 0,3",
            "--model timm/resnet50 --glore-after 'layer3.*'",
        ],
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="of the zoo, timm/..., torchvision/..., torchvision/video/..., pytorchvideo/...; repeatable",
    )
    parser.add_argument(
        "--table",
        choices=["imagenet"],
        help="instead of --model and --cfg: the paper's table for ImageNet, our counts beside what is "
        "published (a few minutes; needs timm)",
    )
    parser.add_argument(
        "--cfg", action="append", default=[], metavar="FILE", help=f"{CFG_HELP}; repeatable"
    )
    parser.add_argument(
        "--glore-after",
        action="append",
        default=[],
        metavar="BLOCK",
        help="a GloRe unit after this block of each --model, * for any name between two dots; repeatable",
    )
    parser.add_argument(
        "--glore",
        type=_unit_counts,
        metavar="N,M",
        help="N GloRe units on Res3 and M on Res4 of each --model, where the paper has them",
    )
    parser.add_argument(
        "--list-blocks",
        action="store_true",
        help="instead of the cost: the blocks of each --model that a unit can stand after",
    )
    parser.add_argument(
        "--crop", type=positive, metavar="PIXELS", help="instead of the published crop"
    )
    parser.add_argument("--frames", type=positive, help="instead of the published number")
    parser.add_argument("--views", type=positive, help="instead of the published number")
    parser.add_argument("--markdown", action="store_true", help="one table, for a README")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    given = parser()
    args = given.parse_args(argv)
    if (args.glore_after or args.glore or args.list_blocks) and not args.model:
        given.error("--glore, --glore-after and --list-blocks need --model NAME")
    others = (args.model, args.cfg, args.crop, args.frames, args.views)
    if args.table and any(others):
        given.error(
            "--table says which networks and inputs; of the other arguments it takes --markdown"
        )
    if args.glore and args.glore_after:
        given.error("--glore and --glore-after exclude each other")
    return guarded(lambda: _print_table(args) if args.table else _print(args))


def _unit_counts(text: str) -> tuple[int, ...]:
    counts = tuple(int(number) for number in text.split(",") if number.strip().isdecimal())
    if len(counts) != 2 or text.count(",") != 1:
        raise argparse.ArgumentTypeError(
            f"two numbers are expected, units on Res3 and on Res4, as 0,3; got {text!r}"
        )
    return counts


def _print(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.cli.terminal import Bar
    from glore_video.models import list_models
    from glore_video.models.deployment.complexity_table import markdown, text

    if args.list_blocks:
        for name in args.model:
            _print_blocks(name, args)
        return 0
    rows = _rows(args)
    if args.markdown:
        total = len(args.model) + len(args.cfg) or len(list_models())
        done: list[CostRow] = []
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


def _print_table(args: argparse.Namespace) -> int:
    from glore_video.cli.terminal import Bar
    from glore_video.models.deployment.imagenet_table import (
        count_row,
        imagenet_markdown,
        imagenet_text,
    )
    from glore_video.models.weights.published_imagenet import IMAGENET_ROWS

    done = []
    with naming(f"--table {args.table}"), Bar("networks") as bar:
        bar(0, len(IMAGENET_ROWS))
        for row in IMAGENET_ROWS:
            done.append(count_row(row))
            bar(len(done), len(IMAGENET_ROWS))
    print(imagenet_markdown(done) if args.markdown else imagenet_text(done))
    return 0


def _input_shape(name: str, args: argparse.Namespace) -> tuple[tuple[int, ...], int]:
    """Shape of a network's input, and views; what arguments say goes before what is published."""
    from glore_video.models.named_info import network_info

    info = network_info(name)
    *frames, height, width = info.input_shape[1:]
    if args.frames and not frames:
        raise UsageError(f"--frames {args.frames}: {name} takes pictures")
    if frames and args.frames:
        frames = [args.frames]
    size = [args.crop, args.crop] if args.crop else [height, width]
    return (3, *frames, *size), args.views or info.views


def _flags(name: str, shape: tuple[int, ...]) -> str:
    """What stands for a network and its input, in front of errors."""
    frames = f", --frames {shape[1]}" if len(shape) == 4 else ""
    return f"--model {name}{frames}, --crop {shape[-1]}"


def _network(name: str, args: argparse.Namespace) -> nn.Module:
    from glore_video.models import create_model

    units = f", --glore-after {' '.join(args.glore_after)}" if args.glore_after else ""
    if args.glore:
        units = f", --glore {','.join(map(str, args.glore))}"
    with naming(f"--model {name}{units}"):
        return create_model(name, glore_after=args.glore_after, glore_units=args.glore)


def _print_blocks(name: str, args: argparse.Namespace) -> None:
    from glore_video.cli.terminal import check_model_name
    from glore_video.models.networks.module_paths import blocks_for_units

    check_model_name(name)
    shape, _ = _input_shape(name, args)
    with naming(_flags(name, shape)):
        found = blocks_for_units(_network(name, args), shape)
    width = max((len(path) for path in found), default=0)
    print(f"{name}: {' x '.join(map(str, shape))}")
    for path, (size, positions) in found.items():
        kind = "" if size.layout == "channels_first" else ", channels last"
        print(f"{path:<{width}}  {size.channels:>5} channels, {positions}{kind}")


def _rows(args: argparse.Namespace) -> Iterator[CostRow]:
    from glore_video.cli.terminal import check_model_name
    from glore_video.config import load_config, with_values
    from glore_video.models import list_models
    from glore_video.models.deployment.complexity_table import measure
    from glore_video.runs.named_network import with_published_input
    from glore_video.runs.network import build_model
    from glore_video.runs.step_memory import count_run
    from glore_video.tasks import task_of

    names = args.model or ([] if args.cfg else list_models())
    for name in args.model:
        check_model_name(name)
    for name in names:
        shape, views = _input_shape(name, args)
        model = _network(name, args)
        with naming(_flags(name, shape)):
            row = measure(name, model, shape=shape, views=views)
        yield row
    for path in args.cfg:
        config = with_published_input(load_config(path))
        task = task_of(config)
        if not config.MODEL.NUM_CLASSES:  # as many as data have that are not named here
            config = with_values(config, {"MODEL.NUM_CLASSES": task.usual_classes})
        model = build_model(config)
        shown = list(task.shapes().values())
        trained, tested = (_as_asked(path, shape, args) for shape in (shown[0], shown[-1]))
        row = measure(
            Path(path).stem,
            model,
            shape=tested,
            views=args.views or task.views,
            training=count_run(config, copy.deepcopy(model), shape=trained),
        )
        yield row


def _as_asked(path: str, shape: tuple[int, ...], args: argparse.Namespace) -> tuple[int, ...]:
    """The shape of a config's inputs, with --frames and --crop in it."""
    colours, *frames, height, width = shape
    if args.frames and not frames:
        raise UsageError(f"--frames {args.frames}: --cfg {path} takes pictures")
    if args.frames:
        frames = [args.frames]
    if args.crop:
        height = width = args.crop
    return (colours, *frames, height, width)
