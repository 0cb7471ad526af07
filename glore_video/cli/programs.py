"""What a subcommand is called, as its usage and its examples say it."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from glore_video.cli.arguments import Parser


def is_script() -> bool:
    """Whether a file of tools/ runs, not `glore-video` or `python -m glore_video`."""
    name = Path(sys.argv[0]).name
    return name.endswith(".py") and name not in ("__main__.py", "main.py")


def program(verb: str = "") -> str:
    """As it was called: `glore-video predict`, `python -m glore_video predict` or predict.py."""
    name = Path(sys.argv[0]).name
    if is_script():
        return name
    return f"{'python -m glore_video' if name == '__main__.py' else 'glore-video'} {verb}".rstrip()


def typed(verb: str) -> str:
    """What is typed for it: as `program`, or `python tools/predict.py`."""
    return f"python {sys.argv[0]}" if is_script() else program(verb)


def command_parser(
    verb: str, description: str, *, notes: str = "", examples: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """The parser of a subcommand, without arguments.

    Args:
        notes: text below the arguments.
        examples: arguments that can be typed after the command's name; or whole lines of torchrun.
    """
    lines = [
        f"  {line if line.startswith('torchrun ') else f'{typed(verb)} {line}'}"
        for line in examples
    ]
    width = shutil.get_terminal_size().columns - 2
    parts = [textwrap.fill(notes, width)] if notes else []
    if lines:
        parts.append("\n".join(["examples:", *lines]))
    return Parser(
        prog=program(verb),
        description=textwrap.fill(description, width),
        epilog="\n\n".join(parts),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
