"""Testing: each sample of a list once, shared out to processes; a stopped test goes on."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glore_video.engine.compiling import Compiling
from glore_video.engine.inference import Normalize, forward_pass
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import Evaluation, Records
from glore_video.engine.record_shards import RecordShards
from glore_video.engine.run_log import progress
from glore_video.engine.threads import choose_threads, trial_length
from glore_video.errors import Failure, UsageError

logger = logging.getLogger(__name__)

_AS_WRITTEN = Compiling()


def evaluate(
    network: nn.Module,
    evaluation: Evaluation,
    *,
    batch_size: int,
    normalize: Normalize,
    precision: Precision,
    process: Process,
    shards: RecordShards,
    compiling: Compiling = _AS_WRITTEN,
) -> Records | None:
    """Make this process' records, then put all processes' together, in the order of the list.

    Samples that a killed test of the same fingerprint has a record of are not shown again; those
    that it could not read are tried once more.

    Args:
        network: on the process' device, as views are then; it is put in eval mode.
        batch_size: inputs a forward pass of this process.
        shards: where records are kept until the test is done; the caller removes them.
        compiling: what torch.compile makes of the network.

    Returns:
        The records of the whole list on the main process, None on the others.
    """
    network.eval()
    tested = evaluation.tested_form(network)

    def record_through(run: Callable[[Tensor], Any]) -> Callable[[Any], np.ndarray]:
        forward = forward_pass(tested, normalize=normalize, precision=precision, run=run)
        return partial(evaluation.record, forward, batch_size=batch_size)

    total, noun = len(evaluation.samples), evaluation.noun
    done = set(process.gather(shards.finished() if process.is_main else [])[0])
    if done:
        logger.info("going on: %d of %d %ss are scored already", len(done), total, noun)
    left = [index for index in range(total) if index not in done]
    own = left[process.rank :: process.world_size]
    # Not of what is compiled: kernels for a CPU are compiled for a number of threads.
    _choose_threads(evaluation, record_through(tested), own, len(left), process)
    record = record_through(compiling.for_evaluation(tested))
    initial = len(done) // process.world_size
    failed: list[tuple[int, Failure]] = []
    items = progress(
        evaluation.loader(own),
        total=initial + len(own),
        initial=initial,
        name="test",
        is_main=process.is_main,
    )
    try:
        for item in items:
            process.doing("testing")
            if item.views is None:
                failed.extend((item.index, failure) for failure in item.failures)
                continue
            shards.add(item.index, record(_moved(item.views, process.device)))
    finally:
        shards.flush()
    all_failed = sorted(failure for part in process.gather(failed) for failure in part)
    if not process.is_main:
        return None
    _wait_for(shards, total - len({index for index, _ in all_failed}), noun)
    indices, values = shards.collect(evaluation.record_shape)
    return Records(indices, values, tuple(failure for _, failure in all_failed))


def _moved(views: Any, device: torch.device) -> Any:
    """On the device, where they can be: it cuts what overlaps out of one copy."""
    return views.to(device, non_blocking=True) if hasattr(views, "to") else views


def _choose_threads(
    evaluation: Evaluation,
    record: Callable[[Any], np.ndarray],
    own: Sequence[int],
    left: int,
    process: Process,
) -> None:
    """Time the first samples to find the number of threads, where there is a choice."""
    most = process.most_threads
    if not most:
        return

    def trial_steps() -> Generator[None, None, None]:
        for item in evaluation.loader(own[: trial_length(most)]):
            process.doing(f"timing {evaluation.noun}s")
            if item.views is not None:
                record(item.views)
                yield

    choose_threads(
        trial_steps(),
        most=most,
        steps_to_come=left // process.world_size,
        gather=process.gather,
    )


def _wait_for(shards: RecordShards, samples: int, noun: str, *, seconds: float = 60.0) -> None:
    """Until the records of so many samples are to be seen: a network disk may show files late.

    Raises UsageError if they are not after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while len(shards.finished()) < samples:
        if time.monotonic() > deadline:
            raise UsageError(
                f"{shards.folder} holds the scores of {len(shards.finished())} {noun}s, {samples} "
                "were scored; do all processes see this folder? The same command goes on from here"
            )
        time.sleep(0.5)


def fingerprint_of_test(
    evaluation: Evaluation, checkpoint: Path | str, process: Process
) -> dict[str, Any]:
    """What the records of a test depend on, the same on all processes.

    Args:
        checkpoint: whose content counts; of a URL, its text.
    """
    if not process.is_main:
        return process.gather(None)[0]
    weights = str(checkpoint)
    if isinstance(checkpoint, Path):
        digest = hashlib.sha256()
        with checkpoint.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        weights = digest.hexdigest()
    machine = {"torch": torch.__version__, "device": process.device.type}
    return process.gather({"weights": weights, **machine, **evaluation.settings})[0]
