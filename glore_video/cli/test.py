"""`glore-video test`: the test of a run, without its training."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from glore_video.cli.programs import command_parser
from glore_video.cli.train import add_run_arguments, run


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "test",
        "Test a trained network with many views: `train` with TRAIN.ENABLE False. The checkpoint is "
        "the run's own, or TEST.CHECKPOINT_FILE_PATH.",
        examples=[
            "--cfg quickstart",
            "--cfg outputs/quickstart/config.yaml TEST.NUM_ENSEMBLE_VIEWS 10",
            "--cfg k400_glore_r50_official_test DATA.PATH_TO_DATA_DIR /data/k400 "
            "TEST.CHECKPOINT_FILE_PATH resnet50-lite_3d_8x8_w-glore_2-3_ep-0000.pth NUM_GPUS 8",
        ],
    )
    add_run_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(parser(), argv, fixed={"TRAIN.ENABLE": False, "TEST.ENABLE": True})
