"""The `glore-video` command: a verb -> the module of this name, which reads the other arguments.

Only the verb's module is imported, and it imports what loads torch after its arguments are parsed,
so that help and errors in them answer at once.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from glore_video import __version__
from glore_video.cli.arguments import Parser
from glore_video.cli.programs import is_script, program
from glore_video.processes.streams import as_command

VERBS = {
    "train": "train a network, then test it",
    "test": "test a trained network",
    "predict": "what happens in a video, a folder of videos, or in front of a camera",
    "visualize": "where GloRe units or Grad-CAM look in a video",
    "serve": "a page to try a network on",
    "export": "a network as one file for other runtimes",
    "check-data": "look at every video, picture or mask once, before a run does",
    "prepare-kinetics": "lists of videos from Kinetics' annotation files",
    "prepare-elpv": "a folder of solar cells to train on, of the package elpv-dataset",
    "complexity": "multiply-adds, activations and parameters of networks",
    "compare": "whether two tests differ by more than chance",
    "ensemble": "accuracy with fewer views, or of several networks averaged",
    "report": "write report.html of a test anew",
    "benchmark-loader": "how fast training clips are read",
    "demo": "three small runs with and without GloRe units (about 3 minutes)",
}
"""In the order of --help; with underscores they are the modules of glore_video.cli."""


def main(argv: Sequence[str] | None = None) -> int:
    """`glore-video VERB ...`; without a verb, as SlowFast's run_net.py, `train`.

    Returns the exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else ""
    if first in VERBS:
        return _run(first, words[1:])
    if not is_script():
        if not first or first in ("-h", "--help"):
            print(_help())
            return 0 if first else 2
        if first == "--version":
            print(f"glore-video {__version__}")
            return 0
    # Keys of the configuration are in capitals or have a dot.
    if re.fullmatch(r"[a-z][a-z_-]*", first):
        Parser().error(f"{first}: no such command; {_nearest(first)}")
    return _run("train", words)


def command(verb: str = "") -> int:
    """`main` as a program: standard streams take whatever is written to them.

    A script of tools/ names its verb, which the arguments of the process follow.
    """
    return as_command(lambda: _run(verb, sys.argv[1:]) if verb else main())


def _run(verb: str, words: Sequence[str]) -> int:
    module = import_module(f"glore_video.cli.{verb.replace('-', '_')}")
    return int(module.main(words))


def _help() -> str:
    name = program()
    width = max(map(len, VERBS))
    return "\n".join(
        [
            f"usage: {name} [-h] [--version] COMMAND ...",
            "",
            "Action recognition in video with graph-based global reasoning (GloRe).",
            "",
            "commands:",
            *(f"  {verb:<{width}}  {line}" for verb, line in VERBS.items()),
            "",
            f"{name} COMMAND --help explains its arguments. Without a command, {name} --cfg FILE",
            "[KEY VALUE ...] trains and tests.",
        ]
    )


def _nearest(word: str) -> str:
    near = difflib.get_close_matches(word.replace("_", "-"), VERBS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}It has {', '.join(VERBS)}"


if __name__ == "__main__":
    sys.exit(command())
