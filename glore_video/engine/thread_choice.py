"""Computing threads of a training run on the CPU: kept when it goes on, or timed on its own steps."""

from __future__ import annotations

import copy
import logging
import signal
from collections.abc import Callable, Generator

import torch

from glore_video.engine.batch_norms import freeze_batch_norms
from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import TrainingData
from glore_video.engine.threads import choose_threads
from glore_video.engine.train_step import TrainStep
from glore_video.processes.stop_signals import StoppedBySignal

logger = logging.getLogger(__name__)


def settle_threads(
    process: Process,
    *,
    kept: int,
    steps: Generator[None, None, None],
    steps_to_come: int,
    received: Callable[[], int],
) -> None:
    """Computing threads on the CPU: those of the run before it stopped, or the fastest number.

    How sums are rounded depends on it: it stays the same over a run.

    Args:
        kept: threads of the run before; 0 if it is not known.
        steps, steps_to_come: see choose_threads.
        received: the signal that this process got; 0 if none.

    Raises StoppedBySignal after a signal to any process while steps are timed.
    """
    most = process.most_threads
    if not most:
        return
    if kept:
        torch.set_num_threads(kept)
        if kept > most:
            logger.warning(
                "the run goes on with %d threads as before, but only %d CPUs are free for them: "
                "CPU_THREADS %d is faster, and rounds otherwise",
                *(kept, most, most),
            )
        return
    choose_threads(steps, most=most, steps_to_come=steps_to_come, gather=process.gather)
    # Not a step is made with a number that nobody has chosen, and that the run would keep.
    if number := max(process.gather(received())):
        name = signal.Signals(number).name
        raise StoppedBySignal(f"stopped by {name} before a step; start again to go on", number)


def trial_steps(
    step: TrainStep,
    data: TrainingData,
    process: Process,
    *,
    freeze_norms: bool,
    generator: Callable[[], torch.Generator],
    stops: Callable[[], bool],
) -> Generator[None, None, None]:
    """Forward and backward passes of a copy of the network, a batch at each next()."""
    network = copy.deepcopy(step.model).train()
    if freeze_norms:
        freeze_batch_norms(network)
    while not stops():
        for batch in data.loader:
            process.doing("timing steps")
            if batch.inputs is not None:
                for loss in step.losses(batch.inputs, batch.targets, generator(), network):
                    loss.backward()
                network.zero_grad()
            yield
            if stops():
                return
