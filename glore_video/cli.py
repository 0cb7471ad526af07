"""argv -> config -> engine. A user's error becomes one line and exit status 2."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from glore_video.arguments import Parser
from glore_video.config import Config, describe, load_config
from glore_video.engine.distributed import (
    Process,
    check_gpus,
    launch,
    log_processes,
    under_torchrun,
)
from glore_video.engine.interruption import StoppedBySignal
from glore_video.engine.run import check_settings, describe_run, prepare, train_and_test
from glore_video.engine.run_log import setup_logging
from glore_video.video import VideoError

logger = logging.getLogger("glore_video")

USER_ERRORS = (ValueError, OSError, VideoError)


def parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="run_net.py",
        description="Train a network on videos, then test it with many views.",
        epilog="example: run_net.py --cfg configs/k400_glore_r50.yaml "
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


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of tools/run_net.py and of the `glore-video` command. Returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == "serve":
        return guarded(lambda: _serve(words[1:]))
    given = parser()
    args = given.parse_intermixed_args([word for word in words if word != "--opts"])
    if args.help_config:
        print(describe())
        return 0
    if not args.cfg:
        given.error("--cfg FILE is needed; the configs/ folder holds some")
    setup_logging(None, is_main=os.environ.get("RANK", "0") == "0")
    return guarded(lambda: _run(args.cfg, args.pairs, dry_run=args.dry_run))


def guarded(action: Callable[[], int], *, wait: float = 0.0) -> int:
    """Run the action. A user's error is one line on stderr and status 2, Ctrl-C status 130.

    The traceback goes to log.txt, if there is one by then. Before it speaks, a process that is not
    the only one may `wait` some seconds for another to say the same and end the run.
    """
    try:
        return action()
    except StoppedBySignal as stop:
        time.sleep(wait)
        print(stop, file=sys.stderr)
        return stop.exit_status
    except KeyboardInterrupt:
        time.sleep(wait)
        print("interrupted", file=sys.stderr)
        return 130
    except USER_ERRORS as error:
        time.sleep(wait)
        print(f"error: {error}", file=sys.stderr)
        logger.debug("stopped here", exc_info=True)
        return 2


def _serve(words: Sequence[str]) -> int:
    setup_logging(None, is_main=True)
    from glore_video.serving.command import serve  # nothing that training needs

    return serve(words)


def _run(cfg: str, pairs: Sequence[str], *, dry_run: bool) -> int:
    config = load_config(cfg, pairs)
    check_settings(config)
    if dry_run:
        print(describe_run(config))
        return 0
    if not under_torchrun():
        check_gpus(config.NUM_GPUS)
        prepare(config, world_size=config.NUM_GPUS or config.CPU_PROCESSES)
    return launch(
        partial(_process, config, prepare_here=under_torchrun()),
        num_gpus=config.NUM_GPUS,
        cpu_processes=config.CPU_PROCESSES,
        cpu_threads=config.CPU_THREADS,
        timeout=config.DIST_TIMEOUT,
    )


def _process(config: Config, process: Process, *, prepare_here: bool) -> int:
    setup_logging(Path(config.OUTPUT_DIR), is_main=process.is_main)

    def work() -> int:
        log_processes(process)
        if prepare_here and process.is_main:
            process.doing("preparing data")
            prepare(config, world_size=process.world_size)
        process.barrier()
        train_and_test(config, process)
        return 0

    return guarded(work, wait=0 if process.is_main else 2)


if __name__ == "__main__":
    sys.exit(main())
