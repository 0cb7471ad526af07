"""argv -> config -> engine. An error becomes one line and exit status 2, or 1 if it was not foreseen.

Commands import what loads torch after the arguments are parsed and the configuration is read, so
that help and errors in them answer at once.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.cli.arguments import Parser
from glore_video.cli.guarding import guarded
from glore_video.errors import UsageError
from glore_video.processes.stop_signals import raised_signals
from glore_video.processes.streams import as_command

if TYPE_CHECKING:
    from glore_video.config import Config
    from glore_video.engine.launch.processes import Process


def parser() -> argparse.ArgumentParser:
    program = _program()
    parser = Parser(
        prog=program,
        description="Train a network on videos, then test it with many views.",
        epilog=f"example: {program} --cfg configs/k400_glore_r50.yaml "
        "DATA.PATH_TO_DATA_DIR /data/k400 NUM_GPUS 8 TRAIN.ENABLE False. "
        "`glore-video serve --help`: a page to try a network on.",
    )
    parser.add_argument("--cfg", metavar="FILE", help="configuration, YAML")
    parser.add_argument(
        "pairs",
        metavar="KEY VALUE",
        nargs="*",
        help="override single keys (--opts may stand before)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the resolved config and its costs, and stop"
    )
    parser.add_argument(
        "--help-config", action="store_true", help="list every key with default and meaning"
    )
    return parser


def _program() -> str:
    """As it was called: glore-video, python -m glore_video or run_net.py."""
    name = Path(sys.argv[0]).name
    return {"run_net.py": name, "__main__.py": "python -m glore_video"}.get(name, "glore-video")


def _refuse_verb(word: str) -> None:
    """Raises UsageError for what looks like a command of its own: `glore-video predict ...`.

    Keys are in capitals or have a dot.
    """
    if not re.fullmatch(r"[a-z][a-z_-]*", word):
        return
    script = f"{word.replace('-', '_')}.py"
    tools = Path(__file__).parents[2] / "tools"
    program = _program()
    hint = "; predict, visualize, export and others are scripts of the checkout, in tools/"
    if (tools / script).is_file():
        hint = f"; python {tools / script} does it"
    raise UsageError(
        f"{word}: no such command; {program} --cfg FILE trains and tests, {program} serve shows a page "
        f"to try a network on{hint}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of tools/run_net.py and of the `glore-video` command. Returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == "serve":
        return guarded(lambda: _serve(words[1:]))
    given = parser()
    try:
        _refuse_verb(words[0] if words else "")
    except UsageError as error:
        given.error(str(error))
    args = given.parse_intermixed_args([word for word in words if word != "--opts"])
    if args.help_config:
        from glore_video.config import describe

        print(describe())
        return 0
    if not args.cfg:
        given.error("--cfg FILE is needed; the configs/ folder holds some")
    from glore_video.engine.run_log import setup_logging

    setup_logging(None, is_main=os.environ.get("RANK", "0") == "0")
    return guarded(lambda: _run(args.cfg, args.pairs, dry_run=args.dry_run))


def command() -> int:
    """`main` as a program: standard streams take whatever is written to them."""
    return as_command(main)


def _serve(words: Sequence[str]) -> int:
    from glore_video.cli.serve import serve

    return serve(words)


def _run(cfg: str, pairs: Sequence[str], *, dry_run: bool) -> int:
    from glore_video.config import load_config

    config = load_config(cfg, pairs)

    from glore_video.engine.launch.activity import Activity
    from glore_video.engine.launch.processes import launch, under_torchrun
    from glore_video.engine.launch.waiting import speaking_up
    from glore_video.runs.run import accepted, check_settings, describe_run
    from glore_video.runs.settling import settled

    config = settled(config)
    check_settings(config)
    if dry_run:
        print(describe_run(config))
        return 0
    with raised_signals(), ExitStack() as held:
        if not under_torchrun():
            activity = Activity()
            with speaking_up(activity):
                held.enter_context(accepted(config, doing=activity.set))
        return launch(
            partial(_process, config, accept_here=under_torchrun()),
            num_gpus=config.NUM_GPUS,
            cpu_processes=config.CPU_PROCESSES,
            cpu_threads=config.CPU_THREADS,
            timeout=config.DIST_TIMEOUT,
        )


def _process(config: Config, process: Process, *, accept_here: bool) -> int:
    from glore_video.engine.launch.processes import log_processes
    from glore_video.engine.launch.waiting import speaking_up
    from glore_video.engine.run_log import setup_logging
    from glore_video.runs.run import accepted, train_and_test

    folder = Path(config.OUTPUT_DIR)
    if not accept_here:
        setup_logging(folder, is_main=process.is_main)

    def work() -> int:
        with raised_signals(), ExitStack() as held:
            if process.is_main:
                held.enter_context(speaking_up(process.activity))
            log_processes(process)
            if accept_here and process.is_main:
                world_size = process.world_size
                held.enter_context(accepted(config, world_size=world_size, doing=process.doing))
            process.barrier()
            if accept_here and not process.is_main:
                setup_logging(folder, is_main=False)
            train_and_test(config, process)
        return 0

    return guarded(work, tell=process.fails)


if __name__ == "__main__":
    sys.exit(command())
