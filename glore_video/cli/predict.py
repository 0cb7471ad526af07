"""`glore-video predict`: the classes of a video or picture, a folder of them, or what a camera sees."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.cli.arguments import (
    add_model_arguments,
    add_view_arguments,
    not_negative,
    positive,
    seconds,
)
from glore_video.cli.guarding import guarded
from glore_video.cli.prediction_output import pairs, report, tell
from glore_video.cli.programs import command_parser
from glore_video.errors import SampleError, UsageError
from glore_video.files.suffixes import check_suffix
from glore_video.processes.streams import json_line

# The others are imported where they are used, so that help and wrong arguments do not wait for torch.
if TYPE_CHECKING:
    from glore_video.engine.launch.processes import Process
    from glore_video.tasks.predictor import FilmPredictor, Predictor

_OF_ONE = "--window, --hop, --timeline and --out are for one video"


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "predict",
        "What happens in a video or is in a picture, in a folder of them, or in front of a camera (its "
        "number). Which files a network takes follows from it.",
        notes="Networks that segment write overlays and masks to --out, of a video a film and a CSV of each "
        "class's share of each frame. Exit status: 0; 1 if files of a folder failed; 2 for an error.",
        examples=[
            "video.mp4 --weights outputs/quickstart",
            "long.mp4 --model glore_r50_8x8 --window 4 --timeline outputs/long.png "
            "--out outputs/named.mp4",
            "folder --weights outputs/x --csv outputs/x.csv",
            "torchrun --nproc-per-node 8 -m glore_video predict folder --weights outputs/x",
            "0 --weights outputs/x",
            "photo.jpg --model timm/resnet50 --crops 5 --flip",
            "drive.mp4 --weights outputs/street --out outputs/drive.mp4",
        ],
    )
    parser.add_argument(
        "file", metavar="FILE", help="a video, a picture, a folder, or a camera's number"
    )
    add_model_arguments(parser)
    parser.add_argument("--top", type=positive, default=5, help="how many classes to show")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="results; of a folder by default outputs/predictions.csv, of a segmented video FILE.csv",
    )
    add_view_arguments(parser)
    parser.add_argument("--window", type=seconds, metavar="SECONDS", help="slide it over a video")
    parser.add_argument("--hop", type=seconds, metavar="SECONDS", help="half a window")
    parser.add_argument("--timeline", metavar="FILE", help="what happens when, .png or .html")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the video with the classes drawn in it, .mp4; segmented: of a picture .jpg or .png, of a "
        "folder a folder, by default in outputs/predictions",
    )
    parser.add_argument(
        "--workers", type=not_negative, default=2, help="of a folder: reading processes; 0: none"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="of a folder: for a file",
    )
    parser.add_argument("--every", type=seconds, default=1.0, metavar="SECONDS", help="of a camera")
    parser.add_argument("--seconds", type=seconds, help="of a camera: then stop")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    import glore_video.prediction  # noqa: F401  before tasks, which look into it
    from glore_video.cli.drawn_predictions import predict_drawn
    from glore_video.cli.terminal import default_device
    from glore_video.engine.launch.processes import under_torchrun
    from glore_video.engine.run_log import setup_logging
    from glore_video.tasks.predictor import DrawingPredictor

    setup_logging(None, is_main=os.environ.get("RANK", "0") == "0")
    args.device = args.device or default_device()
    source = Path(args.file)
    windowed = args.window or args.hop or args.timeline
    if args.timeline:
        check_suffix(args.timeline, (".png", ".html"), "a timeline")
    if args.out and source.exists() and Path(args.out).resolve() == source.resolve():
        raise UsageError(f"--out {args.out} is the file itself")
    if source.is_dir():
        if windowed:
            raise UsageError(_OF_ONE)
        return folder(args, source)
    if under_torchrun() and os.environ["RANK"] != "0":
        return 0  # one file has no work for several processes
    if args.file.isdecimal() and len(args.file) < 10 and not source.exists():
        return camera(args, int(args.file))
    if not source.is_file():
        raise SampleError(args.file, "no such file or folder")
    model = ready(args)
    if isinstance(model, DrawingPredictor) and not windowed:
        return predict_drawn(args, model)
    return timeline(args, film(model)) if windowed or args.out else one(args, model)


def ready(args: argparse.Namespace, device: str = "") -> Predictor:
    from glore_video.cli.terminal import chosen_model

    if device:
        args = argparse.Namespace(**{**vars(args), "device": device})
    return chosen_model(args)


def film(predictor: Predictor) -> FilmPredictor:
    """Raises UsageError if the network takes files that have no length."""
    from glore_video.tasks.predictor import FilmPredictor

    if not isinstance(predictor, FilmPredictor):
        raise UsageError(
            "--window, --hop, --timeline, --out and a camera need a network for videos; this one "
            f"takes {predictor.kind.words}"
        )
    return predictor


def one(args: argparse.Namespace, model: Predictor) -> int:
    tell(args, model, model.predict(args.file))
    return 0


def timeline(args: argparse.Namespace, model: FilmPredictor) -> int:
    from glore_video.cli.terminal import Bar

    for path in filter(None, (args.timeline, args.out)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Bar("windows") as bar:
        found = model.timeline(
            args.file, window=args.window or 0.0, hop=args.hop or 0.0, progress=bar
        )
    if args.timeline:
        model.write_timeline(found, args.timeline)
    if args.out:
        with Bar("film") as bar:
            model.write_annotated(found, args.out, k=min(args.top, 3), progress=bar)
    for window in found.windows:
        top = found.top((window.start + window.end) / 2, args.top if args.json else 1)
        if args.json:
            print(json_line({"start": window.start, "end": window.end, "top": pairs(top)}))
        else:
            name, value = top[0]
            print(f"{window.start:7.1f} to {window.end:7.1f} s  {100 * value:5.1f}%  {name}")
    for path in (args.timeline, args.out):
        if path:
            print(f"wrote {path}", file=sys.stderr)
    return 0


def folder(args: argparse.Namespace, source: Path) -> int:
    import torch

    from glore_video.cli.drawn_predictions import drawings_of
    from glore_video.engine.launch.processes import Process, launch, under_torchrun
    from glore_video.prediction.folder import files_below, predict_files
    from glore_video.tasks.predictor import DrawingPredictor

    file = args.csv or Path("outputs/predictions.csv")
    on_gpu = args.device.startswith("cuda")

    def work(process: Process) -> int:
        device = str(process.device) if under_torchrun() else args.device
        try:
            predictor = ready(args, device)
            paths = files_below(predictor.kind, source)
            drawings = None
            if isinstance(predictor, DrawingPredictor):
                drawings = drawings_of(args, predictor, source, paths)
            elif args.out:
                raise UsageError(_OF_ONE)
            results = predict_files(
                paths,
                predictor,
                file,
                drawings=drawings,
                process=process,
                workers=args.workers,
                timeout=args.timeout,
            )
        except KeyboardInterrupt:
            print("stopped; the same command goes on from here", file=sys.stderr)
            raise
        if results is None:
            return 0
        if drawings is not None:
            print(f"wrote {drawings.folder}, {drawings.write_key()}", file=sys.stderr)
        return report(args, results, file, predictor)

    if under_torchrun():
        return launch(
            lambda process: guarded(lambda: work(process), tell=process.fails), num_gpus=int(on_gpu)
        )
    return work(Process(0, 1, torch.device(args.device)))


def camera(args: argparse.Namespace, number: int) -> int:
    from glore_video.video.camera import Camera

    predictor = film(ready(args))
    with Camera(number) as source:
        try:
            for seconds, top in predictor.watch(
                source, fps=source.fps, every=args.every, k=args.top
            ):
                if args.json:
                    print(json.dumps({"seconds": seconds, "top": pairs(top)}), flush=True)
                else:
                    words = ", ".join(f"{name} {100 * value:.0f}%" for name, value in top[:3])
                    print(f"{seconds:7.1f} s  {words}", flush=True)
                if args.seconds and seconds >= args.seconds:
                    break
        except KeyboardInterrupt:
            pass  # the usual way to end it
    return 0
