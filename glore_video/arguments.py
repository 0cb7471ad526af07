"""Arguments that several commands have, for argparse; light, so that --help answers at once."""

from __future__ import annotations

import argparse
import re


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return int(text)


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
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--cfg", default="", metavar="FILE", help="configuration, YAML")
    source.add_argument("--model", default="", metavar="NAME", help="a network of the zoo")
    parser.add_argument(
        "--weights",
        default="",
        metavar="FILE",
        help="checkpoint, weights or a run's OUTPUT_DIR; a checkpoint of a run is enough by itself",
    )
    parser.add_argument(
        "--untrained", action="store_true", help="random weights, without --weights"
    )
    parser.add_argument("--device", type=device, help="cpu, cuda, cuda:1; by default a GPU, if any")
