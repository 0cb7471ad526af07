"""torch.compile in training, validation and tests: of a whole network, or of its units alone.

A graph holds for the sizes that it was compiled for, and another one costs minutes. So the steps of a
training run, which all compute as many inputs, have one; whatever else comes is computed as it is
written. Validation and tests, whose last batch is smaller, have one for any number of inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map_only

from glore_video.errors import UsageError
from glore_video.models.units.glore_unit import GloreUnit
from glore_video.models.units.idle_units import is_watched, note_run

Forward = Callable[[Tensor], Any]
What = Literal["", "all", "units"]

_OF_CUDA_GRAPHS = ("reduce-overhead", "max-autotune")
# Errors of inductor, and what is not there.
_MISSING = {
    "InvalidCxxCompiler": "working C++ compiler (the environment's CXX names one)",
    "TritonMissing": "Triton for this GPU",
}
# Of training and of eval mode, of one input alone and of several, and some to spare.
_GRAPHS_OF_A_UNIT = 8


def glore_units(network: nn.Module) -> list[nn.Module]:
    """Its GloRe units."""
    return [module for module in network.modules() if isinstance(module, GloreUnit)]


@dataclass(frozen=True)
class Compiling:
    """What of a network is compiled, and how.

    Attributes:
        what: "all", the whole of it; "units", its units alone, in place; "", nothing.
        mode: torch.compile's; "" is its default.
        backend: torch.compile's.
        units: of a network, those that "units" means.
    """

    what: What = ""
    mode: str = ""
    backend: str | Callable[..., Any] = "inductor"
    units: Callable[[nn.Module], Iterable[nn.Module]] = glore_units

    @property
    def records_graphs(self) -> bool:
        """Whether steps are replayed from CUDA graphs, which keep what they return in memory of theirs."""
        return self.what == "all" and self.mode in _OF_CUDA_GRAPHS and torch.cuda.is_available()

    def for_training(self, network: nn.Module, *, batch_size: int) -> Forward:
        """What runs the network's forward pass in training.

        Args:
            network: on its device; of "units", these are compiled in place.
            batch_size: inputs of a forward pass. The whole network is compiled for this number, and
                runs as it is written where an input could not be read, and there are fewer.
        """
        if self.what != "all":
            return self._own(network)
        compiled = _told(torch.compile(network, **self._options()), "all")
        look = _Look(network)

        def forward(inputs: Tensor) -> Any:
            if len(inputs) != batch_size:
                return network(inputs)
            look(inputs)
            torch._dynamo.mark_static(inputs, 0)
            if self.records_graphs:
                torch.compiler.cudagraph_mark_step_begin()
            return compiled(inputs)

        return forward

    def for_evaluation(self, network: nn.Module) -> Forward:
        """What runs the network's forward pass in eval mode, without gradients, for any number of inputs.

        One input alone would need a graph of its own: it runs as it is written, unless the first came
        alone.

        Args:
            network: on its device; of "units", these are compiled in place.
        """
        if self.what != "all":
            return self._own(network)
        compiled = _told(torch.compile(network, **self._options()), "all")
        look = _Look(network)
        first = 0

        def forward(inputs: Tensor) -> Any:
            nonlocal first
            first = first or len(inputs)
            if len(inputs) == 1 < first:
                return network(inputs)
            look(inputs)
            # Numbers of frames too: a clip has five axes.
            mark_sizes_dynamic(inputs, (0, 2) if inputs.dim() == 5 else (0,))
            if not self.records_graphs:
                return compiled(inputs)
            torch.compiler.cudagraph_mark_step_begin()
            # The next pass writes over what this one returns.
            return tree_map_only(Tensor, Tensor.clone, compiled(inputs))

        return forward

    def check(self, network: nn.Module) -> None:
        """Raises UsageError for "units" of a network that has none."""
        if self.what == "units" and not list(self.units(network)):
            raise UsageError(
                "MODEL.COMPILE = units, but the network has neither GloRe units nor non-local blocks; "
                "MODEL.COMPILE all compiles the whole of it"
            )

    def _own(self, network: nn.Module) -> Forward:
        if self.what == "units":
            self.check(network)
            compile_units(list(self.units(network)), **self._options())
        return network

    def _options(self) -> dict[str, Any]:
        return {"backend": self.backend, **({"mode": self.mode} if self.mode else {})}


def _told(compiled: Any, what: What) -> Forward:
    """What is compiled; that there is no compiler on this machine is the user's to mend."""

    def call(inputs: Tensor) -> Any:
        try:
            return compiled(inputs)
        except RuntimeError as error:  # by names: importing torch._dynamo takes seconds
            cause = getattr(error, "inner_exception", error)
            missing = _MISSING.get(type(cause).__name__)
            if not missing:
                raise
            raise UsageError(
                f"MODEL.COMPILE = {what}: torch.compile finds no {missing}; MODEL.COMPILE '' runs without"
            ) from error

    return call


class _Look:
    """Before the first pass, one input runs through as it is written, and tells which units run.

    In eval mode and without gradients: it leaves no trace in statistics or random numbers, so that a run that
    goes on after a stop computes what it would have computed.
    """

    def __init__(self, network: nn.Module) -> None:
        bare = network.module if isinstance(network, DistributedDataParallel) else network
        self.network: nn.Module | None = bare

    def __call__(self, inputs: Tensor) -> None:
        network, self.network = self.network, None
        if network is None or not is_watched(network):
            return
        modes = [(module, module.training) for module in network.modules()]
        network.eval()
        try:
            with torch.no_grad():
                network(inputs[:1])
        finally:
            for module, training in modes:
                module.training = training


def mark_sizes_dynamic(x: Tensor, axes: Sequence[int]) -> None:
    """Of these axes a graph is to hold for any size from 2 on, from the first compilation.

    Each by itself: torch.compile(dynamic=True) takes sizes that happen to be equal for one.
    """
    for axis in axes:
        torch._dynamo.maybe_mark_dynamic(x, axis)


def compile_units(units: Sequence[nn.Module], **options: Any) -> None:
    """Compiles GloRe units and non-local blocks, each where it stands in its network.

    Names of parameters stay, and copies (copy.deepcopy, pickle) are not compiled. Units of equal sizes
    share their graphs, which hold for any number of inputs and positions. Hooks on what is inside a
    unit do not run: see `as_written`.

    Args:
        units: as they are to stay.
        options: of torch.compile.
    """
    # All modules that are compiled by themselves share one code object, and so one limit.
    limit = len(units) * _GRAPHS_OF_A_UNIT
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, limit)
    for unit in units:
        if unit._compiled_call_impl is None:
            unit.compile(**options)
            compiled = _told(unit._compiled_call_impl, "units")
            unit._compiled_call_impl = _with_dynamic_sizes(unit, compiled)


def _with_dynamic_sizes(unit: nn.Module, compiled: Forward) -> Forward:
    tokens = isinstance(unit, GloreUnit) and unit.layout == "channels_last"

    def call(x: Tensor) -> Any:
        if not torch.compiler.is_compiling():
            positions = range(1, x.dim() - 1) if tokens else range(2, x.dim())
            mark_sizes_dynamic(x, (0, *positions))
            note_run(unit)
        return compiled(x)

    return call
