"""`glore-video train`: argv -> config -> engine, under torchrun and Slurm too."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from glore_video.cli.arguments import CFG_HELP
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser, typed
from glore_video.errors import UsageError
from glore_video.processes.stop_signals import raised_signals

if TYPE_CHECKING:
    from glore_video.config import Config
    from glore_video.engine.launch.processes import Process


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "train",
        "Train a network on videos, then test it with many views.",
        examples=[
            "--cfg quickstart",
            "--cfg k400_glore_r50 DATA.PATH_TO_DATA_DIR /data/k400 NUM_GPUS 8",
            "--cfg my.yaml --dry-run",
            "--cfg my.yaml --find-batch",
        ],
    )
    add_run_arguments(parser)
    parser.add_argument(
        "--find-batch",
        action="store_true",
        help="say which TRAIN.BATCH_SIZE the device's memory is enough for, and stop: measured on a GPU, "
        "estimated on a CPU; needs no data",
    )
    return parser


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """--cfg, KEY VALUE pairs, --dry-run, and what lists keys and configurations."""
    parser.add_argument("--cfg", metavar="FILE", help=CFG_HELP)
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
    parser.add_argument(
        "--list-configs", action="store_true", help="list the configurations that the package has"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(parser(), argv)


def run(
    given: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    fixed: Mapping[str, bool] = MappingProxyType({}),
) -> int:
    """Train and test as arguments say, or print what they ask for. Returns the exit status.

    Args:
        given: a parser with `add_run_arguments`.
        fixed: keys that the subcommand sets itself, e.g. {"TRAIN.ENABLE": False}.
    """
    words = sys.argv[1:] if argv is None else argv
    args = given.parse_intermixed_args([word for word in words if word != "--opts"])
    if args.help_config:
        from glore_video.config import describe

        print(describe())
        return 0
    if args.list_configs:
        from glore_video.config import shipped_configs

        for name, line in shipped_configs().items():
            print(f"{name:<32}  {line}")
        return 0
    if not args.cfg:
        given.error("--cfg FILE is needed; --list-configs lists those that the package has")
    if args.dry_run and getattr(args, "find_batch", False):
        given.error("--dry-run and --find-batch exclude each other")
    from glore_video.engine.run_log import setup_logging

    setup_logging(None, is_main=os.environ.get("RANK", "0") == "0")
    if getattr(args, "find_batch", False):
        return guarded(lambda: _find_batch(args.cfg, args.pairs))
    return guarded(lambda: _run(args.cfg, args.pairs, fixed, dry_run=args.dry_run))


def _run(cfg: str, pairs: Sequence[str], fixed: Mapping[str, bool], *, dry_run: bool) -> int:
    from glore_video.config import flatten, load_config, with_values

    config = load_config(cfg, pairs)
    values = dict(flatten(config))
    for name, value in fixed.items():
        if name in pairs[::2] and values[name] != value:
            raise UsageError(f"{name} = {values[name]}: this command sets it to {value}")
    if fixed:
        config = with_values(config, fixed)

    from glore_video.engine.launch.activity import Activity
    from glore_video.engine.launch.processes import launch, under_torchrun
    from glore_video.engine.launch.waiting import speaking_up
    from glore_video.runs.acceptance import accepted, check_settings
    from glore_video.runs.describing import describe_run
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


def _find_batch(cfg: str, pairs: Sequence[str]) -> int:
    from glore_video.config import load_config
    from glore_video.engine.launch.processes import check_gpus, launch, under_torchrun
    from glore_video.runs.settling import settled

    if under_torchrun():
        raise UsageError(
            "--find-batch is one process: start it without torchrun (RANK is set), with NUM_GPUS as many as "
            "processes will be"
        )
    config = settled(load_config(cfg, pairs), needs_data=False)
    check_gpus(config.NUM_GPUS)
    words = [*typed("train").split(), "--cfg", cfg, *pairs]
    with raised_signals():
        return launch(
            partial(_batch_found, config, words),
            num_gpus=min(1, config.NUM_GPUS),
            cpu_threads=config.CPU_THREADS,
        )


def _batch_found(config: Config, words: Sequence[str], process: Process) -> int:
    from glore_video.runs.batch_finding import find_batch

    find_batch(config, process, words=words)
    return 0


def _process(config: Config, process: Process, *, accept_here: bool) -> int:
    from glore_video.engine.launch.processes import log_processes
    from glore_video.engine.launch.waiting import speaking_up
    from glore_video.engine.run_log import setup_logging
    from glore_video.runs.acceptance import accepted
    from glore_video.runs.run import train_and_test

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
