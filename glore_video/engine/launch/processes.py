"""Processes of a run: one alone, NUM_GPUS or CPU_PROCESSES spawned here, or those of torchrun."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from glore_video.engine.launch.activity import Activity
from glore_video.engine.launch.failures import Failures
from glore_video.engine.launch.rendezvous import STORE_SERVED, joined
from glore_video.engine.launch.spawning import (
    environment,
    first_failure,
    raise_or_status,
    signals_handed_on,
)
from glore_video.engine.threads import bound_threads
from glore_video.errors import UsageError
from glore_video.processes import waiting_times
from glore_video.processes.ending import UNFORESEEN, end_anyway
from glore_video.processes.forked_child import die_with_parent
from glore_video.processes.records import Record, join_records, leave, open_records
from glore_video.processes.stop_signals import StoppedBySignal
from glore_video.processes.torch_words import is_lost_connection

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Process:
    """This process among those of the run.

    Attributes:
        most_threads: that may be chosen for computing on the CPU; 0: there is no choice, since
            CPU_THREADS gives the number or a GPU computes.
    """

    rank: int
    world_size: int
    device: torch.device
    most_threads: int = 0
    activity: Activity = field(default_factory=Activity, compare=False, repr=False)
    failures: Failures | None = field(default=None, compare=False, repr=False)

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def doing(self, what: str, *, step: int | None = None) -> None:
        """Note what this process does from now on, for the others to know if the run hangs.

        It costs less than a microsecond. It counts as progress: what can take longer than the
        time-out notes itself again and again. Processes note the same things in the same order.

        Args:
            what: as in "reading data".
            step: steps since the run began, where a step begins; within it, None.
        """
        self.activity.set(what, step)

    def fails(self, line: str) -> bool:
        """Tell the others why this process ends; returns whether it is the first of them to fail."""
        return self.failures is None or self.failures.tell(line)

    def barrier(self) -> None:
        if self.world_size > 1:
            with self.activity.waiting():
                dist.barrier()

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, of a tensor of this process' device."""
        if self.world_size > 1:
            with self.activity.waiting():
                dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The plain Python values of all processes, in order of rank, on every process."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        with self.activity.waiting():
            dist.all_gather_object(values, value)
        return values

    def agree(self, value: str, *, what: str) -> None:
        """Raises ValueError if the processes do not all have the same value; it names two hosts."""
        values = self.gather((value, socket.gethostname()))
        for rank, (other, host) in enumerate(values):
            if other != values[0][0]:
                raise UsageError(
                    f"{what} differs: {values[0][0]} for rank 0 on {values[0][1]}, but {other} for "
                    f"rank {rank} on {host}"
                )

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model on this process' device, its gradients averaged over processes."""
        model = model.to(self.device)
        if self.world_size == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids)

    def average_buffers(self, model: nn.Module) -> None:
        """Give all processes the mean of their floating-point buffers (batch norm statistics)."""
        if self.world_size > 1:
            with self.activity.waiting():
                for buffer in model.buffers():
                    if buffer.is_floating_point():
                        dist.all_reduce(buffer)
                        buffer /= self.world_size


def under_torchrun() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def check_gpus(wanted: int) -> None:
    """Raises ValueError if this machine has fewer GPUs than wanted."""
    available = torch.cuda.device_count()
    if wanted > available:
        raise UsageError(
            f"NUM_GPUS = {wanted}, but torch sees {available} GPU{'s' * (available != 1)} on this "
            "machine (NUM_GPUS 0 runs on the CPU)"
        )


def launch(
    main: Callable[[Process], int],
    *,
    num_gpus: int,
    cpu_processes: int = 1,
    cpu_threads: int = 0,
    timeout: float = 0.0,
) -> int:
    """Run `main` in every process and return its exit status.

    Under torchrun (RANK is set) the processes are there already. Otherwise num_gpus of them, or
    cpu_processes on the CPU if that is 0, start here; `main` must be picklable if they are several.

    Args:
        cpu_threads: computing threads of each process on the CPU; 0: at most as many as CPUs for
            each, and Process.most_threads says that there is a choice.
        timeout: seconds without progress after which the run ends and says who holds it up
            (see heartbeat.py); 0: never.

    Raises ValueError if this machine has fewer GPUs than asked for, or if the processes do not find
    one another.
    """
    if under_torchrun():
        local_rank = _number_in_environment("LOCAL_RANK", 0)
        if num_gpus:
            check_gpus(local_rank + 1)
        rank, world_size = _number_in_environment("RANK"), _number_in_environment("WORLD_SIZE")
        if not 0 <= rank < world_size:
            raise UsageError(f"RANK = {rank}, but WORLD_SIZE = {world_size}")
        here = _number_in_environment("LOCAL_WORLD_SIZE", 1)
        return _run(main, rank, world_size, local_rank, here, num_gpus > 0, cpu_threads, timeout)
    check_gpus(num_gpus)
    world_size = num_gpus or cpu_processes
    if world_size == 1:
        return _run(main, 0, 1, 0, 1, num_gpus > 0, cpu_threads, timeout)
    # Its server lives in this process, on a port that the system picks: none can be taken.
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), STORE_SERVED: "1"}
    records = open_records()
    context = multiprocessing.get_context("spawn")
    logger.info("starting %d processes", world_size)
    processes = [
        context.Process(
            target=_spawned,
            args=(rank, main, world_size, num_gpus > 0, cpu_threads, timeout, records),
        )
        for rank in range(world_size)
    ]
    with environment(address):
        for process in processes:
            process.start()
    with signals_handed_on([process.pid for process in processes if process.pid]) as received:
        failed = first_failure(processes)
    if failed is None:
        return 0
    number = -(processes[failed].exitcode or 0)
    if number in received:  # before it had anything to save
        raise StoppedBySignal(f"stopped by {signal.Signals(number).name}", number)
    return raise_or_status(failed, processes[failed])


def _number_in_environment(name: str, default: int | None = None) -> int:
    text = os.environ.get(name, "" if default is None else str(default))
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{name} = {text!r} in the environment is not a whole number") from None


def _spawned(
    rank: int,
    main: Callable[[Process], int],
    world_size: int,
    on_gpu: bool,
    cpu_threads: int,
    timeout: float,
    records: Path,
) -> None:
    join_records(records)
    die_with_parent(signal.SIGINT)
    try:
        status = _run(main, rank, world_size, rank, world_size, on_gpu, cpu_threads, timeout)
    except Exception as error:
        leave(Record.of(error, f"rank {rank}"))
        sys.exit(UNFORESEEN)
    if status:
        leave(Record())  # it has said why
        sys.exit(status)


def _run(
    main: Callable[[Process], int],
    rank: int,
    world_size: int,
    local_rank: int,
    local_world_size: int,
    on_gpu: bool,
    cpu_threads: int,
    timeout: float,
) -> int:
    device = torch.device("cuda", local_rank) if on_gpu else torch.device("cpu")
    most_threads = 0
    if on_gpu:
        torch.cuda.set_device(device)
    elif cpu_threads:
        torch.set_num_threads(cpu_threads)
    else:
        most_threads = bound_threads(max(1, local_world_size))
    process = Process(rank, world_size, device, most_threads)
    if world_size == 1:
        return main(process)
    with joined(
        rank, world_size, device=device, activity=process.activity, timeout=timeout
    ) as failures:
        try:
            status = main(replace(process, failures=failures))
        except RuntimeError as error:
            if not is_lost_connection(error):
                raise
            logger.debug("stopped here", exc_info=True)
            # The one that failed says why, and the launcher ends the others.
            deadline = time.monotonic() + waiting_times.HEAR
            while not failures.first() and time.monotonic() < deadline:
                time.sleep(0.1)
            if not failures.first() and failures.speaks_here():
                logger.error(
                    "rank %d on %s has lost another process, which has failed or is out of reach, "
                    "and ends. Started again, the run goes on from its last checkpoint",
                    *(rank, socket.gethostname()),
                )
            status = UNFORESEEN
        process.activity.end(status)
        if status == UNFORESEEN:
            end_anyway()  # leaving the group may wait for those who wait for this process
        return status


def log_processes(process: Process) -> None:
    """Log who takes part: every rank with its host and device. Every process must call it."""
    device = str(process.device)
    if process.device.type == "cuda":
        device += f" ({torch.cuda.get_device_name(process.device)})"
    else:
        device += f", {torch.get_num_threads()} threads"
    everyone = process.gather((socket.gethostname(), os.getpid(), device))
    if process.world_size == 1:
        logger.info("one process on %s, %s", everyone[0][0], device)
        return
    logger.info("world size %d, backend %s", process.world_size, dist.get_backend())
    for rank, (host, pid, its_device) in enumerate(everyone):
        logger.info("rank %d: %s, process %d, %s", rank, host, pid, its_device)
