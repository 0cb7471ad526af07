"""`glore-video visualize`: projection maps of GloRe units over a file, their nodes, or Grad-CAM."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.cli.arguments import (
    add_model_arguments,
    add_view_arguments,
    list_of,
    not_negative,
    positive,
)
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError, naming

if TYPE_CHECKING:
    from glore_video.inspection.look import Look
    from glore_video.tasks.predictor import Predictor


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "visualize",
        "See where a network's GloRe units look in a video or picture, and which of their nodes matter.",
        notes="Of a video, writes a sheet of maps over frames, the same as a film, the nodes' adjacency "
        "as a heat map and their activity over time; of a picture, a sheet, the adjacency and a graph of "
        "the nodes; of a network without units, Grad-CAM alone. The probability is that of `glore-video predict`, over the same views.",
        examples=[
            "VIDEO --weights outputs/x --out outputs/pictures",
            "VIDEO --model glore_r50_8x8 --unit res4.0 --nodes 0,5,9",
            "PICTURE --weights outputs/x --top 8",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="a video or a picture")
    add_model_arguments(parser)
    parser.add_argument("--unit", default="", metavar="PATH", help="by default the last one")
    parser.add_argument(
        "--nodes",
        type=list_of(not_negative),
        metavar="0,5,9",
        help="by default the most important ones",
    )
    parser.add_argument("--top", type=positive, default=4, help="how many nodes, without --nodes")
    parser.add_argument("--class", dest="target", metavar="NAME", help="instead of the predicted")
    add_view_arguments(parser)
    parser.add_argument(
        "--maps",
        type=positive,
        default=12,
        metavar="CLIPS",
        help="of a video: clips to make maps of, at most, over all of it (12)",
    )
    parser.add_argument("--layer", default="", help="of Grad-CAM; by default the last block")
    parser.add_argument("--no-film", dest="film", action="store_false", help="of a video")
    parser.add_argument("--out", type=Path, default=Path("outputs/pictures"), metavar="DIR")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: visualize(args))


def visualize(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    import glore_video.prediction  # noqa: F401  before tasks, which look into it
    from glore_video.cli.terminal import Bar, chosen_model
    from glore_video.inspection.look import find_unit
    from glore_video.models import glore_units

    predictor = chosen_model(args)
    units = list(glore_units(predictor.network))
    for flag in ("unit", "nodes"):
        if getattr(args, flag) and not units:
            raise UsageError(f"--{flag}: the network has no GloRe unit; without it: Grad-CAM")
    unit = ""
    if units:
        with naming(f"--unit {args.unit}"):
            unit = find_unit(units, args.unit)
    target = None if args.target is None else _label(args.target, predictor.class_names)
    with Bar("clips") as bar:
        seen = predictor.look(
            args.file,
            target=target,
            most_clips=args.maps,
            layer=args.layer,
            progress=bar,
        )
    nodes = []
    if unit:
        with naming("--nodes"):
            nodes = seen.choose_nodes(unit, args.nodes, args.top)
    paths = _write(args, predictor, seen, unit, nodes)
    print(
        f"{predictor.class_names[seen.target]} {100 * seen.probability:.1f}% ({predictor.words}, as "
        f"glore-video predict says); maps of {seen.words}{unit and f', {unit}'}"
    )
    if unit:
        print("\n".join(_node_lines(seen, unit, nodes)))
    else:
        print("  the network has no GloRe unit: Grad-CAM is drawn, and no projection maps")
    print("\n".join(map(str, paths)))
    return 0


def _write(
    args: argparse.Namespace, predictor: Predictor, seen: Look, unit: str, nodes: list[int]
) -> list[Path]:
    """Pictures and film into --out; returns their paths."""
    from glore_video.cli.terminal import Bar
    from glore_video.reports.drawing import save
    from glore_video.tasks.predictor import FilmPredictor

    args.out.mkdir(parents=True, exist_ok=True)
    stem = f"{Path(args.file).stem}.{unit.removesuffix('.glore') or 'grad_cam'}"
    pictures = predictor.pictures(seen, unit, nodes)
    paths = [save(image, args.out / f"{stem}.{name}.png") for name, image in pictures.items()]
    if args.film and isinstance(predictor, FilmPredictor):
        path = args.out / f"{stem}.mp4"
        with Bar("film") as bar:
            predictor.film(seen, unit, nodes, path, progress=bar)
        paths.append(path)
    return paths


def _node_lines(seen: Look, unit: str, nodes: Sequence[int]) -> Iterator[str]:
    importance, shares = seen.importance(unit), seen.shares(unit)
    if not importance.any():
        yield "  its nodes do not change the logits: the unit was not trained"
    for node in nodes:
        yield (
            f"  node {node:<4} mean importance {importance[node]:+.3g}, "
            f"{100 * shares[node]:.3g}% of the unit's"
        )


def _label(name: str, class_names: Sequence[str]) -> int:
    if name in class_names:
        return list(class_names).index(name)
    near = difflib.get_close_matches(name, class_names, n=3)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UsageError(f"--class {name}: no class of the network{hint}")
