"""Command-line arguments (argparse): numbers checked where they are read, errors of one line.

Light, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from glore_video.choices import MOST_SECONDS

T = TypeVar("T")

CFG_HELP = "configuration, YAML, or the name of one that the package has"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all others are, not a screen of usage before it."""

    def error(self, message: str) -> NoReturn:
        hint = "" if message.startswith("argument ") else " (--help explains all)"
        self.exit(2, f"error: {message}{hint}\n")


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type for argparse: a whole number in [least, most], or from `least` on."""
    allowed = f"from {least} on" if most is None else f"from {least} to {most}"

    def convert(text: str) -> int:
        # Not int(): it reads 1_000, and of thousands of digits it raises something else.
        if text.isascii() and text.isdigit() and len(text) < 19:
            number = int(text)
            if least <= number and (most is None or number <= most):
                return number
        raise argparse.ArgumentTypeError(f"must be a whole number {allowed}, got {text!r}")

    return convert


positive = whole(1)
not_negative = whole(0)


def number(least: float, most: float = math.inf) -> Callable[[str], float]:
    """A type for argparse: a finite number in [least, most], or from `least` on."""
    allowed = f"from {least:g} on" if most == math.inf else f"from {least:g} to {most:g}"

    def convert(text: str) -> float:
        value = _finite(text)
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be a number {allowed}, got {text!r}")
        return value

    return convert


def above_zero(text: str) -> float:
    """A type for argparse: a finite number above 0."""
    value = _finite(text)
    if value is None or value <= 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return value


def seconds(text: str) -> float:
    """A type for argparse: seconds above 0, a year at most ."""
    value = _finite(text)
    if value is None or not 0 < value <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"must be seconds above 0, a year at most, got {text!r}")
    return value


def size(text: str) -> tuple[int, int]:
    """A type for argparse: height and width in pixels, 512x1024, or one number for both."""
    parts = text.lower().split("x")
    if len(parts) not in (1, 2):
        raise argparse.ArgumentTypeError(f"must be pixels, or HEIGHTxWIDTH, got {text!r}")
    try:
        height, width = (positive(part) for part in (parts[0], parts[-1]))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"must be pixels from 1 on, or HEIGHTxWIDTH, got {text!r}"
        ) from None
    return height, width


def separator(text: str) -> str:
    """A type for argparse: what stands between two columns; a tab may be written as \\t."""
    if not text:
        raise argparse.ArgumentTypeError(r"must not be empty; \t is a tab")
    return text.replace(r"\t", "\t")


def list_of(kind: Callable[[str], T]) -> Callable[[str], list[T]]:
    """A type for argparse: values with commas between, each read by `kind`, as in 1,5,10."""

    def convert(text: str) -> list[T]:
        try:
            return [kind(word.strip()) for word in text.split(",")]
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"each {error}, in {text!r}") from None

    return convert


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def device(text: str) -> str:
    """cpu, mps, cuda or cuda:N; of a GPU torch is asked, and only then imported."""
    if not re.fullmatch(r"(cpu|cuda|mps)(:(0|[1-9][0-9]*))?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no device; cpu, cuda or cuda:0 is")
    if text.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise argparse.ArgumentTypeError("torch sees no GPU on this machine")
    return text


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """--cfg, --model, --weights, --untrained and --device (None: `default_device` says)."""
    add_network_arguments(parser)
    parser.add_argument(
        "--untrained", action="store_true", help="random weights, without --weights"
    )
    parser.add_argument("--device", type=device, help="cpu, cuda, cuda:1; by default a GPU, if any")


def add_network_arguments(parser: argparse.ArgumentParser, *, without: str = "") -> None:
    """--cfg, --model and --weights; `without` says what there is without --weights."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--cfg", default="", metavar="FILE", help=CFG_HELP)
    source.add_argument("--model", default="", metavar="NAME", help="a network of the zoo")
    parser.add_argument(
        "--weights",
        default="",
        metavar="FILE",
        help="checkpoint, weights or a run's OUTPUT_DIR; a checkpoint of a run is enough by itself"
        + (without and f"; else {without}"),
    )


def add_view_arguments(parser: argparse.ArgumentParser) -> None:
    """--clips, --crops and --flip; None: those of the test."""
    views = parser.add_argument_group("views of a file, instead of the test's")
    views.add_argument("--clips", type=positive, help="of a video")
    views.add_argument(
        "--crops", type=positive, choices=(1, 3, 5), help="of each clip 1 or 3, of a picture 1 or 5"
    )
    views.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="mirror images too, of a picture",
    )
