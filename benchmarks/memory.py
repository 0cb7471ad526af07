"""Memory that a computation keeps, needs at most, and moves; operators that it asks for."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Operators that allocate without reading or writing.
_UNTOUCHED = frozenset({torch.ops.aten.empty, torch.ops.aten.empty_like, torch.ops.aten.new_empty})


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


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """Bytes above what was there before, at most; on a CPU of tensors that operators return."""
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


def most_kib() -> int:
    """Most memory that this process had. (What getrusage tells begins with its parent's.)"""
    [line] = [
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    ]
    return int(line.split()[1])


def moved_bytes(run: Callable[[], object]) -> int:
    """Bytes that all operators read and write, backward pass included, views not counted.

    What a device moves if nothing stays in its caches from one operator to the next; the same on
    every device, and not to be seen from outside for compiled forms.
    """
    run()
    with _Traffic() as traffic:
        run()
    return traffic.bytes


def operators(run: Callable[[], object]) -> int:
    """Operators that write something, backward pass included: what a device is asked to launch.

    The same on every device but for what one operator runs inside: a convolution's backward pass two
    products and a sum, a product with an addend that it must not overwrite a copy first. Not to be
    seen from outside for compiled forms.
    """
    run()
    with _Traffic() as traffic:
        run()
    return traffic.operators


class _Traffic(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.operators = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        read = _by_storage((args, kwargs))
        written = _by_storage(result)
        # A view returns what it got and writes nothing; an operation in place writes it again.
        if func.overloadpacket not in _UNTOUCHED and (
            func._schema.is_mutable or not written.keys() <= read.keys()
        ):
            self.bytes += sum(read.values()) + sum(written.values())
            self.operators += 1
        return result


def _by_storage(tree: Any) -> dict[int, int]:
    """Bytes of the tensors in a tree; of an expanded one those that are there."""
    sizes: dict[int, int] = {}
    for tensor in filter(_is_tensor, tree_leaves(tree)):
        storage = tensor.untyped_storage()
        size = min(tensor.numel() * tensor.element_size(), storage.nbytes())
        key = id(storage) if not storage.nbytes() else storage.data_ptr()
        sizes[key] = max(size, sizes.get(key, 0))
    return sizes


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
