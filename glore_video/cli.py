"""argv -> config -> engine. An error becomes one line and exit status 2, or 1 if it was not foreseen.

Commands import what loads torch after the arguments are parsed and the configuration is read, so
that help and errors in them answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.arguments import Parser
from glore_video.datasets.remote_errors import behind, what_of
from glore_video.engine.ending import end_children, end_unforeseen, log_traceback
from glore_video.engine.interruption import StoppedBySignal
from glore_video.errors import is_users
from glore_video.video import VideoError

if TYPE_CHECKING:
    from glore_video.config import Config
    from glore_video.engine.distributed import Process


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
        from glore_video.config import describe

        print(describe())
        return 0
    if not args.cfg:
        given.error("--cfg FILE is needed; the configs/ folder holds some")
    from glore_video.engine.run_log import setup_logging

    setup_logging(None, is_main=os.environ.get("RANK", "0") == "0")
    return guarded(lambda: _run(args.cfg, args.pairs, dry_run=args.dry_run))


def guarded(
    action: Callable[[], int],
    *,
    wait: float = 0.0,
    tell: Callable[[str], bool] = lambda line: True,
) -> int:
    """Run the action. A user's error is one line on stderr and status 2, Ctrl-C status 130.

    What counts as a user's is said in errors.py; a video that can't be read is one too.

    Any other error was not foreseen: one line, status 1, and no process that was started here goes
    on. The traceback goes to log.txt, or for such an error to a file of its own if there is no log.

    Of a process that is not the only one, `wait` gives another some seconds to say the same as it
    and end the run, and `tell` hands an unforeseen error on and says whether it is the first.
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
    except Exception as raised:
        if _is_lost_connection(raised):
            raise  # `launch` speaks of it
        error = behind(raised)
        if not (is_users(error) or isinstance(error, VideoError)):
            return end_unforeseen(error, tell)
        time.sleep(wait)
        text = str(error)
        print(f"error: {what_of(error) if text.startswith('Caught ') else text}", file=sys.stderr)
        log_traceback(error, "stopped here")
        end_children()
        return 2


def _is_lost_connection(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return False  # an error in the configuration, say, which does not wait for torch
    from glore_video.engine.distributed import is_lost_connection

    return is_lost_connection(error)


def _serve(words: Sequence[str]) -> int:
    from glore_video.serving.command import serve

    return serve(words)


def _run(cfg: str, pairs: Sequence[str], *, dry_run: bool) -> int:
    from glore_video.config import load_config

    config = load_config(cfg, pairs)

    from glore_video.engine.build import with_published_input
    from glore_video.engine.distributed import check_gpus, launch, under_torchrun
    from glore_video.engine.run import check_settings, describe_run, prepare
    from glore_video.engine.run_log import setup_logging

    config = with_published_input(config)
    check_settings(config)
    if dry_run:
        print(describe_run(config))
        return 0
    if not under_torchrun():
        setup_logging(Path(config.OUTPUT_DIR), is_main=True)
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
    from glore_video.engine.distributed import log_processes
    from glore_video.engine.run import prepare, train_and_test
    from glore_video.engine.run_log import setup_logging

    setup_logging(Path(config.OUTPUT_DIR), is_main=process.is_main)

    def work() -> int:
        log_processes(process)
        if prepare_here and process.is_main:
            process.doing("preparing data")
            prepare(config, world_size=process.world_size)
        process.barrier()
        train_and_test(config, process)
        return 0

    return guarded(work, wait=0 if process.is_main else 2, tell=process.fails)


if __name__ == "__main__":
    sys.exit(main())
