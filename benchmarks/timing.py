"""Times several forms of one computation side by side, with the memory each needs."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Cost:
    """Seconds of the fastest round; bytes of memory above what was there before."""

    seconds: float
    peak_bytes: int


def compare(
    forms: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    device: torch.device,
    cpu_time: bool = False,
) -> dict[str, Cost]:
    """Runs every form once a round, in turn, so that a busy moment hits all alike.

    Args:
        forms: names and what to run.
        rounds: rounds that count, after one that does not.
        device: where the forms run.
        cpu_time: count the process's CPU seconds over all threads, not wall-clock seconds: steadier
            on a CPU that others use too, with one thread.
    """
    clock = time.process_time if cpu_time else time.perf_counter
    peaks = {name: _peak_bytes(run, device) for name, run in forms.items()}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, run in forms.items():
            _synchronize(device)
            start = clock()
            run()
            _synchronize(device)
            seconds[name].append(clock() - start)
    return {name: Cost(min(seconds[name]), peaks[name]) for name in forms}


def saved_bytes(run: Callable[[], Tensor], module: nn.Module) -> int:
    """Bytes that a forward pass keeps for the backward pass, parameters not counted."""
    parameters = {p.untyped_storage().data_ptr() for p in module.parameters()}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = run()
    del kept
    return sum(sizes.values())


def bandwidth(device: torch.device, *, megabytes: int = 256) -> float:
    """Bytes a second, read and written, of copying one large tensor."""
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    cost = compare({"copy": lambda: target.copy_(source)}, rounds=10, device=device)["copy"]
    return 2 * source.numel() * source.element_size() / cost.seconds


def _peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    run()  # compiles, autotunes
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    with _Allocations() as allocations:
        run()
    return allocations.peak


class _Allocations(TorchDispatchMode):
    """Bytes of all storages that operators return, counted from when they appear till they die."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.alive: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        known = {id(t.untyped_storage()) for t in tree_leaves((args, kwargs)) if _is_tensor(t)}
        result = func(*args, **(kwargs or {}))
        for tensor in filter(_is_tensor, tree_leaves(result)):
            storage = tensor.untyped_storage()
            if id(storage) not in known and id(storage) not in self.alive:
                self._follow(id(storage), storage)
        return result

    def _follow(self, key: int, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)

        def died(_: object) -> None:
            self.now -= size
            del self.alive[key]

        self.alive[key] = weakref.ref(storage, died)


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
