"""Processes of a run: one alone, NUM_GPUS or CPU_PROCESSES spawned here, or those of torchrun."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Process:
    """This process among those of the run."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def barrier(self) -> None:
        if self.world_size > 1:
            dist.barrier()

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, of a tensor of this process' device."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The plain Python values of all processes, in order of rank, on every process."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

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
        raise ValueError(
            f"NUM_GPUS = {wanted}, but torch sees {available} GPUs on this machine "
            "(NUM_GPUS 0 runs on the CPU)"
        )


def launch(
    main: Callable[[Process], int], *, num_gpus: int, cpu_processes: int = 1, cpu_threads: int = 0
) -> int:
    """Run `main` in every process and return its exit status.

    Under torchrun (RANK is set) the processes are there already. Otherwise num_gpus of them, or
    cpu_processes on the CPU if that is 0, start here; `main` must be picklable if they are several.

    Raises ValueError if this machine has fewer GPUs than asked for.
    """
    if under_torchrun():
        local_rank = int(os.environ.get("LOCAL_RANK", 0))
        if num_gpus:
            check_gpus(local_rank + 1)
        rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        return _run(main, rank, world_size, local_rank, num_gpus > 0, cpu_threads)
    check_gpus(num_gpus)
    world_size = num_gpus or cpu_processes
    if world_size == 1:
        return _run(main, 0, 1, 0, num_gpus > 0, cpu_threads)
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    os.environ["MASTER_PORT"] = str(_free_port())
    # Which process it ends after another failed is no news to the user.
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    threads = cpu_threads or max(1, (os.cpu_count() or 1) // world_size)
    context = torch.multiprocessing.spawn(
        _spawned, args=(main, world_size, num_gpus > 0, threads), nprocs=world_size, join=False
    )
    with _signals_for(context.pids()):
        try:
            while not context.join():
                pass
        except torch.multiprocessing.ProcessExitedException as error:
            return error.exit_code
    return 0


@contextmanager
def _signals_for(pids: Sequence[int]) -> Iterator[None]:
    """Hand signals that ask to stop on to the processes, which save their state and end.

    A terminal sends Ctrl-C to all of them by itself.
    """

    def hand_on(number: int, frame: FrameType | None) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    previous = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    for name in ("SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            number = getattr(signal, name)
            previous[number] = signal.signal(number, hand_on)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _spawned(
    rank: int, main: Callable[[Process], int], world_size: int, on_gpu: bool, threads: int
) -> None:
    status = _run(main, rank, world_size, rank, on_gpu, threads)
    if status:
        sys.exit(status)


def _run(
    main: Callable[[Process], int],
    rank: int,
    world_size: int,
    local_rank: int,
    on_gpu: bool,
    cpu_threads: int,
) -> int:
    if cpu_threads and not on_gpu:
        torch.set_num_threads(cpu_threads)
    device = torch.device("cuda", local_rank) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    if world_size > 1:
        dist.init_process_group(
            "nccl" if on_gpu else "gloo", rank=rank, world_size=world_size, init_method="env://"
        )
    try:
        return main(Process(rank, world_size, device))
    finally:
        if world_size > 1:
            dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
