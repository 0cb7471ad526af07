"""The test of a run: its weights, all samples of the tested split, the files of results."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from glore_video.config import Config
from glore_video.engine.checkpoint import BEST_NAME, checkpoint_path, last_checkpoint
from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import Evaluation, Outcome, Task
from glore_video.engine.record_shards import RecordShards
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.tester import evaluate, fingerprint_of_test
from glore_video.errors import UsageError
from glore_video.models import count_complexity
from glore_video.runs.network import (
    build_compiling,
    build_model,
    build_precision,
    checkpoint_to_test,
    load_test_weights,
)

logger = logging.getLogger(__name__)


def run_test(config: Config, task: Task, process: Process, metrics: MetricsLog) -> Outcome | None:
    """Test the weights that the configuration names and write OUTPUT_DIR/test.

    Returns:
        What it has come to on the main process, None on the others.

    Raises:
        UsageError: nothing could be read, or no score is a number; the files are written before.
    """
    start = time.perf_counter()
    evaluation = task.evaluation()
    process.doing("reading the weights to test")
    checkpoint = checkpoint_to_test(config)
    network = build_model(config)
    load_test_weights(config, network, checkpoint)
    network.to(process.device)
    logger.info("testing %s on %s", checkpoint, evaluation.describe())
    _point_to_best(config, checkpoint)
    folder = Path(config.OUTPUT_DIR) / "test"
    shards = RecordShards(folder / "parts", fingerprint_of_test(evaluation, checkpoint, process))
    with _told_how_to_go_on(config):
        records = evaluate(
            network,
            evaluation,
            batch_size=max(1, config.TEST.BATCH_SIZE // process.world_size),
            normalize=task.normalize,
            precision=build_precision(config, process.device),
            process=process,
            shards=shards,
            compiling=build_compiling(config),
        )
    if records is None:
        return None
    process.doing("writing the results of the test")
    summary = evaluation.summarize(records)
    facts = {"seconds": round(time.perf_counter() - start, 3), "checkpoint": str(checkpoint)}
    facts |= _costs(network, evaluation)
    evaluation.write(folder, records, summary, facts)
    shards.remove()
    if summary.figures:
        metrics.write("test", step=0, **summary.figures)
    evaluation.report(folder, records)
    if problem := summary.problem(str(checkpoint)):
        raise UsageError(problem)
    return summary


@contextmanager
def _told_how_to_go_on(config: Config) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        again = config.TRAIN.ENABLE and not config.TRAIN.AUTO_RESUME
        logger.warning(
            "the test is stopped; %s goes on from here",
            "TRAIN.ENABLE False" if again else "the same command",
        )
        raise


def _point_to_best(config: Config, checkpoint: Path | str) -> None:
    """Say that there are other weights, if the run's last ones are tested."""
    best = checkpoint_path(config.OUTPUT_DIR, 0).with_name(BEST_NAME)
    if checkpoint == last_checkpoint(config.OUTPUT_DIR) and best.is_file():
        logger.info(
            "it is the run's last one; TRAIN.ENABLE False TEST.CHECKPOINT_FILE_PATH %s tests the one "
            "that was best in validation",
            shlex.quote(str(best)),
        )


def _costs(network: nn.Module, evaluation: Evaluation) -> dict[str, Any]:
    """What summary.json says of the network: `parameters`, and `gmacs` of one view."""
    counted = count_complexity(network, tuple(evaluation.input_shape))
    return {"parameters": counted.parameters, "gmacs": round(counted.gmacs, 4)}
