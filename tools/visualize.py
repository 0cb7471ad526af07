"""See where a network's GloRe units look in a video, and which of their nodes matter.

python tools/visualize.py VIDEO --weights outputs/x --out pictures
python tools/visualize.py VIDEO --model glore_r50_8x8 --unit res4.0 --nodes 0,5,9

Writes a sheet of maps over frames, the same as a film, the nodes' adjacency as a heat map and their
activity over time.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from glore_video.arguments import Parser, add_model_arguments, list_of, not_negative, positive
from glore_video.cli import guarded
from glore_video.errors import UsageError, naming
from glore_video.streams import as_command


def parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", metavar="VIDEO")
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
    parser.add_argument("--clips", type=positive, default=12, help="at most, over the whole video")
    parser.add_argument("--layer", default="", help="of Grad-CAM; by default the last block")
    parser.add_argument("--no-film", dest="film", action="store_false")
    parser.add_argument("--out", type=Path, default=Path("pictures"), metavar="DIR")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: visualize(args))


def visualize(args: argparse.Namespace) -> int:
    # Imported late, so that help and wrong arguments do not wait for torch.
    from glore_video.models import glore_units
    from glore_video.prediction.looking import look
    from glore_video.prediction.pictures import (
        activity_chart,
        choose_nodes,
        film_of,
        find_unit,
        sheet_of,
    )
    from glore_video.prediction.terminal import Bar, chosen_model
    from glore_video.visualization.charts import draw_adjacency
    from glore_video.visualization.drawing import save

    ready = chosen_model(args)
    units = list(glore_units(ready.network))
    if not units:
        raise UsageError("the network has no GloRe unit: there are no projection maps to draw")
    with naming(f"--unit {args.unit}"):
        unit = find_unit(units, args.unit)
    target = None if args.target is None else _label(args.target, ready.class_names)
    with Bar("clips") as bar:
        seen = look(
            args.video,
            ready,
            target=target,
            most_clips=args.clips,
            layer=args.layer,
            progress=bar,
        )
    with naming("--nodes"):
        nodes = choose_nodes(seen, unit, args.nodes, args.top)
    args.out.mkdir(parents=True, exist_ok=True)
    stem = f"{Path(args.video).stem}.{unit.removesuffix('.glore')}"
    reading = {"backend": ready.backend, "damaged": ready.damaged}
    paths = [
        save(
            sheet_of(seen, unit, nodes, ready.class_names, **reading),
            args.out / f"{stem}.sheet.png",
        ),
        save(
            draw_adjacency(seen.clips[0].units[unit].adjacency, title=unit),
            args.out / f"{stem}.adjacency.png",
        ),
        save(activity_chart(seen, unit, nodes), args.out / f"{stem}.activity.png"),
    ]
    if args.film:
        path = args.out / f"{stem}.mp4"
        with Bar("film") as bar:
            film_of(seen, unit, nodes, ready.class_names, path, progress=bar, **reading)
        paths.append(path)
    importance = seen.importance(unit)
    print(
        f"{ready.class_names[seen.target]} {100 * seen.probability:.1f}%, mean over "
        f"{len(seen.clips)} clips; {unit}"
    )
    if not importance.any():
        print("  its nodes do not change the logits: the unit was not trained")
    for node in nodes:
        print(f"  node {node:<4} mean importance {importance[node]:+.4f}")
    print("\n".join(map(str, paths)))
    return 0


def _label(name: str, class_names: Sequence[str]) -> int:
    if name in class_names:
        return list(class_names).index(name)
    near = difflib.get_close_matches(name, class_names, n=3)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UsageError(f"--class {name}: no class of the network{hint}")


if __name__ == "__main__":
    sys.exit(as_command(main))
