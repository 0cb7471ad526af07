"""What the tools for trained networks share: a device, a progress bar, tables."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from glore_video.errors import UsageError, naming
from glore_video.processes.streams import takes

if TYPE_CHECKING:
    from glore_video.tasks.predictor import Predictor


def chosen_model(args: argparse.Namespace) -> Predictor:
    """The network that these arguments name, with --clips, --crops and --flip if there are any of them.

    Errors name the arguments.
    """
    from glore_video.engine.checkpoint import resolve_checkpoint
    from glore_video.engine.threads import bound_threads
    from glore_video.models import UnfitWeightsError
    from glore_video.prediction.loading import UnknownNetworkError, load_predictor
    from glore_video.runs.network import advice

    if not (args.cfg or args.model or args.weights):
        raise UsageError(
            "no network is named: --weights of a run, --cfg FILE of a configuration, or --model NAME "
            "of the zoo"
        )
    if args.model:
        check_model_name(args.model)
    device = args.device or default_device()
    if device == "cpu":
        bound_threads()
    weights = resolve_checkpoint(args.weights, key="--weights") if args.weights else ""
    published = args.model and not args.weights and not args.untrained
    source = naming(f"--model {args.model} without --weights") if published else nullcontext()
    try:
        with source:
            found = load_predictor(
                cfg=args.cfg,
                model=args.model,
                weights=weights,
                untrained=args.untrained,
                device=device,
            )
    except UnknownNetworkError as error:
        raise UsageError(
            f"--weights {error.problem}; give its --cfg FILE or --model NAME as well"
        ) from None
    except UnfitWeightsError as error:
        flag = "--weights" if args.weights else "--model" if args.model else "--cfg"
        raise UsageError(f"{flag}: {error.problem}{advice(error)}") from None
    return _with_views(found, args)


def _with_views(predictor: Predictor, args: argparse.Namespace) -> Predictor:
    flags = {flag: getattr(args, flag, None) for flag in ("clips", "crops", "flip")}
    given = [f"--{flag}" for flag, value in flags.items() if value is not None]
    if not given:
        return predictor
    with naming(", ".join(given)):
        return predictor.with_views(
            num_clips=flags["clips"] or 0, num_crops=flags["crops"] or 0, flips=flags["flip"]
        )


def check_model_name(name: str) -> None:
    """Raises UsageError, which names all, if the zoo has no such network and it is of no package."""
    from glore_video.models import is_foreign, list_models, list_segmentation_models

    if is_foreign(name):
        return  # its package is asked
    known = [*list_models(), *list_segmentation_models()]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"--model {name}: no network of the zoo; {hint}it has {', '.join(known)}; those "
            "of other packages begin with timm/, torchvision/ or pytorchvideo/"
        )


def default_device() -> str:
    """Where networks run if nobody says so."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class Bar:
    """A bar on a terminal, nothing elsewhere; call it with the number done and that of all."""

    def __init__(self, name: str) -> None:
        self._bar = tqdm(desc=name, leave=False, dynamic_ncols=True, disable=None)

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if not done:
            self._bar.refresh()  # the first one may take a while

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()


def table(rows: Sequence[tuple[str, float]]) -> str:
    """Class names with percents and bars, a line each."""
    width = max((len(name) for name, _ in rows), default=0)
    lines = [
        f"  {name:<{width}}  {100 * value:5.1f}%  {_bar(value)}".rstrip() for name, value in rows
    ]
    return "\n".join(lines)


def _bar(value: float) -> str:
    full = round(30 * value)
    return ("█" if takes("█", sys.stdout) else "#") * full


def say(*words: Any) -> None:
    """To stderr, above the bar."""
    tqdm.write(" ".join(map(str, words)), file=sys.stderr)
