"""Processes of a run: one alone, NUM_GPUS or CPU_PROCESSES spawned here, or those of torchrun."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
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


def launch(
    main: Callable[[Process], int], *, num_gpus: int, cpu_processes: int = 1, cpu_threads: int = 0
) -> int:
    """Run `main` in every process and return its exit status.

    Under torchrun (RANK is set) the processes are there already. Otherwise num_gpus of them, or
    cpu_processes on the CPU if that is 0, start here; `main` must be picklable if they are several.

    Raises ValueError if this machine has fewer GPUs than asked for.
    """
    available = torch.cuda.device_count()
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        local_rank = int(os.environ.get("LOCAL_RANK", 0))
        if num_gpus and local_rank >= available:
            raise ValueError(_too_few_gpus(num_gpus, available))
        rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        return _run(main, rank, world_size, local_rank, num_gpus > 0, cpu_threads)
    if num_gpus > available:
        raise ValueError(_too_few_gpus(num_gpus, available))
    world_size = num_gpus or cpu_processes
    if world_size == 1:
        return _run(main, 0, 1, 0, num_gpus > 0, cpu_threads)
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    os.environ["MASTER_PORT"] = str(_free_port())
    # Which process it ends after another failed is no news to the user.
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    threads = cpu_threads or max(1, (os.cpu_count() or 1) // world_size)
    try:
        torch.multiprocessing.spawn(
            _spawned, args=(main, world_size, num_gpus > 0, threads), nprocs=world_size
        )
    except torch.multiprocessing.ProcessExitedException as error:
        return error.exit_code
    return 0


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


def _too_few_gpus(wanted: int, available: int) -> str:
    return (
        f"NUM_GPUS = {wanted}, but torch sees {available} GPUs on this machine "
        "(NUM_GPUS 0 runs on the CPU)"
    )
