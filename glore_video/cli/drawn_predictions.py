"""`glore-video predict` with a network whose predictions are pictures: where they go."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.cli.prediction_output import show, tell
from glore_video.errors import UsageError
from glore_video.files.suffixes import check_suffix

if TYPE_CHECKING:
    from glore_video.prediction.drawings import Drawings
    from glore_video.tasks.predictor import DrawingPredictor, Prediction

FOLDER = Path("outputs/predictions")
PICTURES = (".jpg", ".jpeg", ".png")


def predict_drawn(args: argparse.Namespace, model: DrawingPredictor) -> int:
    """One picture or video: draws it at --out and prints what is in it."""
    if not model.takes_film(args.file):
        drawing = _place(args, PICTURES, "a drawn picture")
        prediction = model.predict(args.file)
        model.draw(prediction, drawing)
        tell(args, model, prediction)
        _say(*model.drawn(drawing))
        return 0
    found, *written = _film(args, model)
    words = f"{model.words}; mean over the frames"
    show(args, args.file, found.top(args.top), words, measure=model.measure)
    _say(*written)
    return 0


def _film(args: argparse.Namespace, model: DrawingPredictor) -> tuple[Prediction, Path, Path, Path]:
    """Draws a video; --csv is what is said of each frame. Returns also what is written."""
    from glore_video.cli.terminal import Bar

    film = _place(args, (".mp4",), "a drawn video")
    table = args.csv or film.with_suffix(".csv")
    with Bar("frames") as bar:
        found = model.draw_film(args.file, film, table=table, k=args.top, progress=bar)
    key = film.with_name(f"{film.stem}.colours.png")
    model.draw_key(key)
    return found, film, table, key


def drawings_of(
    args: argparse.Namespace, model: DrawingPredictor, source: Path, paths: list[str]
) -> Drawings:
    """Where the drawings of a folder's files go: below --out, under the names of the files."""
    from glore_video.prediction.drawings import Drawings

    out = Path(args.out) if args.out else FOLDER
    if out.exists() and not out.is_dir():
        raise UsageError(
            f"--out {out}: of a folder of files it is a folder too, and this is a file"
        )
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"--out {out} lies in {source}: the next prediction would take what is drawn for pictures"
        )
    return Drawings(model, source, out, paths)


def _place(args: argparse.Namespace, suffixes: tuple[str, ...], what: str) -> Path:
    if not args.out:
        return FOLDER / f"{Path(args.file).stem}{suffixes[0]}"
    place = Path(args.out)
    if place.is_dir():
        return place / f"{Path(args.file).stem}{suffixes[0]}"
    check_suffix(place, suffixes, f"--out, {what},")
    return place


def _say(*paths: Path) -> None:
    print(f"wrote {', '.join(map(str, paths))}", file=sys.stderr)
