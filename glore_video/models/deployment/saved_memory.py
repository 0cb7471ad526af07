"""Memory that training keeps for the backward pass: the tensors that autograd saves, by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
)
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

from glore_video.errors import UsageError
from glore_video.models.deployment.complexity import parts_of
from glore_video.models.deployment.fake_copy import fake_copy, fake_run
from glore_video.models.networks.inserted_units import glore_units, inserted_units
from glore_video.models.units.glore_unit import GloreUnit

GLORE_UNITS, NONLOCAL_BLOCKS = "GloRe units", "non-local blocks"
LOSS, ELSEWHERE = "loss", "elsewhere"


class UncountableError(ValueError):
    """A network that can't be run without numbers; the message says why."""


@dataclass(frozen=True)
class SavedMemory:
    """Bytes that autograd saves in a forward pass.

    Storages count once, parameters and buffers not. A tensor belongs to the part that returned it
    first, or if none did, to the one that saved it first. So the share of units is what the network
    would not keep without them, but for blocks that are computed again (activation checkpointing):
    there it is what units return, which a block would keep without its unit too.

    Attributes:
        each: bytes of each input.
        parts: the same by part, as in `Complexity.parts`, with "loss" for what the loss saves and
            "elsewhere" for what none of them does; they add up to `each`.
        units: the share of GloRe units, and of non-local blocks, where there are any.
        fixed: bytes whatever the number of inputs: copies of weights in another dtype, statistics.
    """

    each: int
    parts: Mapping[str, int]
    units: Mapping[str, int]
    fixed: int

    def of(self, inputs: int) -> int:
        """Bytes of so many inputs that are computed together."""
        return self.fixed + inputs * self.each


def count_saved(
    model: nn.Module,
    shape: Sequence[int],
    *,
    amp_dtype: torch.dtype | None = None,
    device: str = "cuda",
    loss: Callable[[Any, int], Tensor] | None = None,
    batch: int = 16,
    step: int = 1,
) -> SavedMemory:
    """Counts what autograd saves, without computing or allocating anything.

    Args:
        model: a network on a real device, left as it was. Its train or eval mode counts.
        shape: of one input, (3, *positions), or in whatever layout the network takes.
        amp_dtype: of autocast; None: without.
        device: type of the device whose operators would run, "cuda" or "cpu". None need be there.
            A GPU is taken to have a fused kernel for attention.
        loss: of the network's outputs and the number of inputs, if that is to be counted too.
        batch: inputs that are computed together, by which GloRe units choose their order. `fixed` and
            `each` are those of the straight line through it and `step` inputs more.
        step: batches are multiples of it, and `batch` is rounded up to one: of norms that split them.

    Raises:
        UncountableError: for a network whose shapes depend on numbers.
        UsageError: for a shape that is not positive, and what the network raises of one it can't take.
    """
    if not shape or min(shape) < 1:
        raise UsageError(f"shape must be positive numbers, got {tuple(shape)}")
    mode = FakeTensorMode()
    copied = fake_copy(model, mode, device)
    for unit in glore_units(copied).values():
        _settle_order_at_first_input(unit)
    dtype = next(copied.parameters()).dtype
    batch = -(-batch // step) * step
    few, more = (
        _saved(copied, mode, (inputs, *shape), dtype, amp_dtype, device, loss)
        for inputs in (batch, batch + step)
    )
    each = {owner: (more[owner] - few[owner]) // step for owner in more}
    parts: Counter[str] = Counter()
    units: Counter[str] = Counter()
    for (part, kind), size in each.items():
        parts[part] += size
        units[kind] += size
    total = sum(parts.values())
    return SavedMemory(
        each=total,
        parts=dict(parts),
        units={kind: size for kind, size in units.items() if kind},
        fixed=sum(few.values()) - batch * total,
    )


_Owner = tuple[str, str]
"""A part, and a kind of unit or ""."""


def _saved(
    model: nn.Module,
    mode: FakeTensorMode,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    amp_dtype: torch.dtype | None,
    device: str,
    loss: Callable[[Any, int], Tensor] | None,
) -> Counter[_Owner]:
    ledger = SavedTensors(model)
    try:
        with fake_run(mode, device, amp_dtype):
            inputs = torch.zeros(shape, dtype=dtype, device=device)
            with ledger:
                kept = model(inputs)
            # As in a training step, the loss stands outside of autocast.
        with fake_run(mode, device, None), ledger.of_part(LOSS):
            kept = loss(kept, shape[0]) if loss else kept
    except (
        DataDependentOutputException,
        DynamicOutputShapeException,
        UnsupportedFakeTensorException,
    ) as error:
        raise UncountableError(f"its shapes depend on numbers ({error})") from error
    return ledger.sizes()


def _settle_order_at_first_input(unit: GloreUnit) -> None:
    """So that one input more is computed as those before were."""

    def settle(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        unit.order = unit.order_of(x)
        hook.remove()

    hook = unit.register_forward_pre_hook(settle)


class SavedTensors:
    """Context: whose are the tensors that autograd saves within it. Of networks of any kind of tensor."""

    def __init__(self, model: nn.Module) -> None:
        self._kept = {_key(tensor) for tensor in (*model.parameters(), *model.buffers())}
        self._model = model
        self._current: list[_Owner] = [(ELSEWHERE, "")]
        self._owners: dict[StorageWeakRef, _Owner] = {}
        self._saved: dict[StorageWeakRef, int] = {}
        self._open = ExitStack()

    def __enter__(self) -> SavedTensors:
        kinds = {
            unit: GLORE_UNITS if isinstance(unit, GloreUnit) else NONLOCAL_BLOCKS
            for unit in inserted_units(self._model).values()
        }
        parts = {self._model.get_submodule(path): path for path in parts_of(self._model)}
        for module in {**parts, **kinds}:
            label = parts.get(module, ""), kinds.get(module, "")
            self._follow(module, *label)
        self._open.enter_context(self._hooks())
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    @contextmanager
    def of_part(self, part: str) -> Iterator[None]:
        """What is saved within it is this part's."""
        self._current.append((part, ""))
        try:
            with self._hooks():
                yield
        finally:
            self._current.pop()

    def sizes(self) -> Counter[_Owner]:
        """Bytes by part and kind of unit, of what is still kept."""
        sizes: Counter[_Owner] = Counter()
        for storage, size in self._saved.items():
            if not storage.expired():
                sizes[self._owners[storage]] += size
        return sizes

    def _follow(self, module: nn.Module, part: str, kind: str) -> None:
        def enters(*_: object) -> None:
            outer = self._current[-1]
            self._current.append((part or outer[0], kind or outer[1]))

        def leaves(module: nn.Module, inputs: object, outputs: object) -> None:
            owner = self._current.pop()
            for tensor in tree_leaves(outputs):
                if isinstance(tensor, Tensor):
                    self._owners.setdefault(StorageWeakRef(tensor.untyped_storage()), owner)

        before = module.register_forward_pre_hook(enters)
        after = module.register_forward_hook(leaves)
        self._open.callback(before.remove)
        self._open.callback(after.remove)

    def _hooks(self) -> torch.autograd.graph.saved_tensors_hooks:
        return torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def _pack(self, tensor: Tensor) -> Tensor:
        if _key(tensor) not in self._kept:
            storage = tensor.untyped_storage()
            reference = StorageWeakRef(storage)
            self._saved[reference] = storage.nbytes()
            self._owners.setdefault(reference, self._current[-1])
        # The tensor itself would keep the operator alive that returned it and keeps it.
        return tensor.detach()


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
