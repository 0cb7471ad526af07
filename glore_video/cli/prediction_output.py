"""What `glore-video predict` prints of predictions, and its --csv."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.processes.streams import json_line

if TYPE_CHECKING:
    from glore_video.prediction.results_file import Result
    from glore_video.tasks.predictor import Measure, Prediction, Predictor


def tell(args: argparse.Namespace, model: Predictor, prediction: Prediction) -> None:
    """Prints a prediction, and writes the --csv if there is one."""
    from glore_video.prediction.results_file import Result, ResultsFile, fingerprint

    if args.csv:
        row = Result(args.file, fingerprint(model), tuple(prediction.top()))
        file = ResultsFile(args.csv, measure=model.measure)
        file.known(row.network)
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        file.finish([args.file], {args.file: row})
    show(args, args.file, prediction.top(args.top), model.words, measure=model.measure)


def report(
    args: argparse.Namespace, results: list[Result], file: Path, predictor: Predictor
) -> int:
    failed = [result for result in results if result.failed]
    for result in results if args.json or len(results) <= 20 else ():
        if not result.failed:
            show(args, result.path, list(result.top[: args.top]), measure=predictor.measure)
    print(f"wrote {file}: {len(results) - len(failed)} {predictor.kind.words}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(results)} failed:", file=sys.stderr)
        for result in failed:
            print(f"  {result.path}: {result.reason}", file=sys.stderr)
    return 1 if failed else 0


def show(
    args: argparse.Namespace,
    path: str,
    top: list[tuple[str, float]],
    views: str = "",
    *,
    measure: Measure = "probability",
) -> None:
    from glore_video.cli.terminal import table

    if args.json:
        print(json_line({"path": path, "top": pairs(top, measure)}))
    else:
        print(f"{path}{views and f' ({views})'}\n{table(top)}")


def pairs(
    top: list[tuple[str, float]], measure: Measure = "probability"
) -> list[dict[str, object]]:
    return [{"name": name, measure: round(value, 6)} for name, value in top]
