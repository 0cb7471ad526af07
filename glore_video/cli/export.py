"""`glore-video export`: a network as one file for other runtimes (ONNX, torch.export, AOTInductor)."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from glore_video.choices import ExportFormat
from glore_video.cli.arguments import add_network_arguments, number, positive, size
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import MissingFileError, UsageError, naming

# The others are imported where they are used, so that help and wrong arguments do not wait for torch.
if TYPE_CHECKING:
    from torch import Tensor, nn


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "export",
        "A network as one file for other runtimes, checked against the network on real frames or a picture.",
        examples=[
            "--weights outputs/quickstart --format pt2",
            "--model glore_r50_8x8 --weights weights.pth --format onnx --output outputs/glore.onnx",
        ],
    )
    add_network_arguments(parser, without="random ones")
    parser.add_argument("--format", choices=get_args(ExportFormat), default="onnx")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="by default outputs/network.onnx or outputs/network.pt2 (pt2, aoti)",
    )
    parser.add_argument("--frames", type=positive, help="of a clip; instead of the network's own")
    parser.add_argument(
        "--crop",
        type=size,
        metavar="PIXELS",
        help="or HEIGHTxWIDTH; instead of the network's own",
    )
    parser.add_argument(
        "--video",
        "--picture",
        dest="file",
        metavar="FILE",
        help="to check with; else a rendered one",
    )
    parser.add_argument("--no-fuse", dest="fuse", action="store_false", help="keep batch norms")
    parser.add_argument(
        "--tolerance", type=number(0), default=1e-4, help="of the relative difference"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: export(args))


def export(args: argparse.Namespace) -> int:
    path = Path(args.output or f"outputs/network.{'onnx' if args.format == 'onnx' else 'pt2'}")
    if not args.output:
        path.parent.mkdir(exist_ok=True)
    if not path.parent.is_dir():
        raise MissingFileError(f"--output {path}: no such folder: {path.parent}")
    if args.format == "aoti" and path.suffix != ".pt2":
        raise UsageError(f"--output {path}: AOTInductor packages end with .pt2")

    from glore_video.cli.terminal import chosen_model
    from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
    from glore_video.models.deployment.export import export_network, with_one_output

    predictor = chosen_model(
        argparse.Namespace(**{**vars(args), "untrained": not args.weights, "device": "cpu"})
    )
    flags = [f"--frames {args.frames}"] if args.frames else []
    flags += ["--crop {}x{}".format(*args.crop)] if args.crop else []
    with naming(", ".join(flags)) if flags else nullcontext():
        clips = predictor.example(args.file, size=args.crop, frames=args.frames or 0)
    model = with_one_output(predictor.network, clips)
    unchecked = path.with_name(f"{path.stem}.unchecked{path.suffix}")
    try:
        export_network(
            fuse_for_inference(model) if args.fuse else model, clips, unchecked, format=args.format
        )
        check(args, model, clips, unchecked, path)
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)
    return 0


def check(
    args: argparse.Namespace, model: nn.Module, clips: Tensor, unchecked: Path, path: Path
) -> None:
    import torch

    from glore_video.models.deployment.export import input_names, load_exported

    exported = load_exported(unchecked, format=args.format)
    with torch.no_grad():
        expected, got = model(clips), exported(clips)
        if not bool(torch.isfinite(expected).all()):
            raise UsageError("the network's own logits are not finite (NaN or infinity)")
        difference = ((got - expected).norm() / expected.norm()).item()
        seconds = [fastest(run, clips) for run in (model, exported)]
    (name,) = input_names(clips)
    print(f"{path}: {unchecked.stat().st_size / 1e6:.1f} MB, {name} {tuple(clips.shape)}")
    print(f"relative difference of the logits {difference:.1e}, same top-1: {same(got, expected)}")
    print(
        f"ms a {name.removesuffix('s')}: network {seconds[0] * 1e3:.1f}, file {seconds[1] * 1e3:.1f} "
        f"({seconds[1] / seconds[0]:.2f} of it)"
    )
    if not difference <= args.tolerance:
        raise UsageError(
            f"--tolerance {args.tolerance:g}: {path} would differ from the network by more: not written"
        )


def fastest(run: Callable[[Tensor], Tensor], clips: Tensor, rounds: int = 5) -> float:
    """Seconds."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(clips)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def same(a: Tensor, b: Tensor) -> str:
    """In words; of pixels, of which some may have two classes of nearly equal scores, their share."""
    equal = a.argmax(1) == b.argmax(1)
    if a.dim() > 2:
        return f"{100 * equal.double().mean().item():.4g}% of the pixels"
    return "yes" if bool(equal.all()) else "no"
