"""One optimiser step from a batch: forward, backward, clipping, update, moving average."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from glore_video.engine.convolution_trials import ConvolutionTrials
from glore_video.engine.device_copies import DeviceCopies
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import Meter, Normalize, Objective
from glore_video.engine.step_times import StepTimes


@dataclass(frozen=True)
class Sums:
    """What steps add up to.

    Attributes:
        loss: sum of losses.
        weight: what it is divided by for their mean.
        norm: of the gradient, before it was clipped.
        inputs: of the network.
        counts: float64 (Meter.size,), on the CPU.
    """

    loss: float
    weight: float
    norm: float
    inputs: float
    counts: Tensor

    SIZE = 4  # numbers before the counts

    @classmethod
    def of(cls, sums: Tensor) -> Sums:
        """Of what a TrainStep returned, added up; waits for the device."""
        sums = sums.cpu()
        loss, weight, norm, inputs = sums[: cls.SIZE].tolist()
        return cls(loss, weight, norm, inputs, sums[cls.SIZE :])

    @property
    def mean_loss(self) -> float:
        return self.loss / self.weight if self.weight else float("nan")


@dataclass(kw_only=True)
class TrainStep:
    """Forward, backward, clipping, optimiser, moving average. Nothing in it waits for a GPU.

    The gradient is that of the sum of all losses over the sum of their weights, whatever the number
    of processes and of parts. An update whose gradients are not finite is left out, as are all
    after it, and `diverged` becomes 1: parameters stay as they were, for `first_non_finite` to look
    into; `finite_steps` counts those before. (In fp16 the gradient scaler leaves out single
    updates, and `diverged` tells of the loss alone.)

    Attributes:
        model: the bare network.
        parallel: the same, or wrapped so that gradients are averaged over processes.
        compiled: what runs the forward pass: `parallel`, or what torch.compile makes of it.
        records_graphs: `compiled` replays CUDA graphs, and writes over what it returned before, gradients too.
        objective: mixing, and the loss.
        meter: what is counted beside it.
        accumulation: equal parts that a batch is computed in, one after another.
        clip_norm, clip_value: greatest norm of the gradient, greatest absolute value in it; 0: off.
        average: moving average of the weights.
    """

    model: nn.Module
    parallel: nn.Module
    compiled: Callable[[Tensor], Any]
    optimizer: torch.optim.Optimizer
    objective: Objective
    meter: Meter
    normalize: Normalize
    precision: Precision
    process: Process
    records_graphs: bool = False
    accumulation: int = 1
    clip_norm: float = 0.0
    clip_value: float = 0.0
    average: AveragedModel | None = None
    scaler: torch.amp.GradScaler = field(init=False)
    copies: DeviceCopies = field(init=False)
    trials: ConvolutionTrials = field(init=False)
    times: StepTimes = field(init=False)
    diverged: Tensor = field(init=False)
    finite_steps: Tensor = field(init=False)

    def __post_init__(self) -> None:
        device = self.precision.device
        self.scaler = self.precision.scaler()
        self.copies = DeviceCopies(device)
        self.trials = self.precision.trials()
        self.times = StepTimes(device)
        self.diverged = torch.zeros((), device=device)
        self.finite_steps = torch.zeros((), dtype=torch.int64, device=device)

    def zeros(self) -> Tensor:
        """Sums of no step, float64 (Sums.SIZE + meter.size,) on the device."""
        size = Sums.SIZE + self.meter.size
        return torch.zeros(size, dtype=torch.float64, device=self.precision.device)

    def __call__(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """One step.

        Args:
            inputs: uint8 (n, 3, *positions), anywhere.
            targets: (n, ...), as the objective takes them.
            generator: of the CPU, for the objective.

        Returns:
            Sums of this process, float64 (Sums.SIZE + meter.size,) on the device.
        """
        inputs, targets = self.copies(inputs, targets)
        self.times.mark("transfer")
        with self.trials.of(inputs):
            return self._update(inputs, targets, generator)

    def _update(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        device = self.precision.device
        pixels = self.normalize(inputs, device)
        pixels, wanted = self.objective.prepare(pixels, targets, generator)
        weight = self.objective.weight(wanted)
        divisor = self._divisor(weight)
        self.optimizer.zero_grad(set_to_none=True)
        parts = self._parts(pixels, wanted, targets)
        total = torch.zeros((), device=device)
        counts = torch.zeros(self.meter.size, dtype=torch.float64, device=device)
        for number, (part, target, counted) in enumerate(parts, start=1):
            with self._synchronised(last=number == len(parts)):
                loss, outputs = self._loss_sum(part, target, self.compiled)
                self.times.mark("forward")
                self.scaler.scale(loss / divisor).backward()
                self.times.mark("backward")
            if self.records_graphs and number == 1 < len(parts):
                self._own_gradients()
            total = total + loss.detach()
            with torch.no_grad():
                counts = counts + self.meter.count(outputs, counted)
        norm = self._step(total)
        self.times.mark("update")
        self.times.steps += 1
        if self.records_graphs:  # nobody is to read them once others stand there
            self.optimizer.zero_grad(set_to_none=True)
        numbers = [_on_device(n, device) for n in (total, weight, norm, len(pixels))]
        return torch.cat([torch.stack(numbers), counts])

    def losses(
        self,
        inputs: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        network: nn.Module | None = None,
    ) -> Iterator[Tensor]:
        """The losses of a batch's parts, for what is no step of the run: they say nothing to others.

        Of the bare network, or of another that takes its place.
        """
        device = self.precision.device
        pixels, wanted = self.objective.prepare(
            self.normalize(inputs, device), targets.to(device), generator
        )
        divisor = _positive(self.objective.weight(wanted))
        for part, target in self._parts(pixels, wanted):
            yield self._loss_sum(part, target, network or self.model)[0] / divisor

    def _divisor(self, weight: float | Tensor) -> float | Tensor:
        """Of sums of losses. Gradients are averaged over processes: it is the mean weight of one."""
        if isinstance(weight, Tensor):
            total = self.process.sum(weight.detach().double().clone())
            weight = total / self.process.world_size
        return _positive(weight)

    def _loss_sum(
        self, pixels: Tensor, targets: Tensor, network: Callable[[Tensor], Any]
    ) -> tuple[Tensor, Any]:
        """Sum of the losses of some inputs, and the network's outputs."""
        with self.precision.autocast():
            outputs = network(pixels)
        return self.objective.loss_sum(outputs, targets), outputs

    def _parts(self, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
        """What is computed at a time."""
        count = max(1, min(self.accumulation, len(tensors[0])))
        return list(zip(*(t.tensor_split(count) for t in tensors), strict=True))

    def _synchronised(self, *, last: bool) -> AbstractContextManager[Any]:
        """Gradients are averaged over processes once a step."""
        if last or not isinstance(self.parallel, DistributedDataParallel):
            return nullcontext()
        return self.parallel.no_sync()

    def _own_gradients(self) -> None:
        """Copies of the first part's, to which those of the others are added.

        Where a CUDA graph left them the next part's graph would write over them, without a word.
        """
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                parameter.grad = parameter.grad.clone()

    def _step(self, loss: Tensor) -> Tensor:
        """Update the parameters; the norm of the gradient."""
        self.scaler.unscale_(self.optimizer)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.clip_norm:
            nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm)
        if self.clip_value:
            nn.utils.clip_grad_value_(parameters, self.clip_value)
        finite = torch.isfinite(loss)
        if not self.scaler.is_enabled():
            finite &= torch.isfinite(norm)
            # torch's fused optimisers leave the step out where this is 1.
            self.optimizer.grad_scale = None  # type: ignore[attr-defined]
            self.optimizer.found_inf = self.diverged  # type: ignore[attr-defined]
        torch.maximum(self.diverged, (~finite).float(), out=self.diverged)
        self.finite_steps += self.diverged == 0
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return norm


def _on_device(value: float | Tensor, device: torch.device) -> Tensor:
    """float64, a scalar. A number is filled in there: a tensor of the host's would be waited for."""
    if isinstance(value, Tensor):
        return value.detach().to(device, torch.float64)
    return torch.full((), value, dtype=torch.float64, device=device)


def _positive(weight: float | Tensor) -> float | Tensor:
    """1 in place of 0: where nothing counts, the sum of losses is 0 too."""
    if isinstance(weight, Tensor):
        return torch.where(weight > 0, weight, torch.ones_like(weight))
    return weight or 1.0
