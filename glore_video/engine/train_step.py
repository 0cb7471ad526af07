"""One optimiser step from a batch of clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from glore_video.engine.precision import Precision
from glore_video.engine.step_times import StepTimes
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.classification.ranking import predicted_classes

# (clips float, labels int64, generator) -> (clips, soft targets)
Mix = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(kw_only=True)
class Update:
    """Forward, backward, clipping, optimiser, moving average. Nothing in it waits for a GPU.

    An update whose gradients are not finite is left out, as are all after it, and `diverged`
    becomes 1: parameters stay as they were, for `first_non_finite` to look into; `finite_steps`
    counts those before. (In fp16 the gradient scaler leaves out single updates, and `diverged`
    tells of the loss alone.)

    Attributes:
        model: the bare network.
        parallel: the same, or wrapped so that gradients are averaged over processes.
        compiled: what runs the forward pass: `parallel`, or what torch.compile makes of it.
        accumulation: equal parts that a batch is computed in, one after another.
        clip_norm, clip_value: greatest norm of the gradient, greatest absolute value in it; 0: off.
        mix: mixup, label smoothing and the like.
        average: moving average of the weights.
    """

    model: nn.Module
    parallel: nn.Module
    compiled: Callable[[Tensor], Tensor]
    optimizer: torch.optim.Optimizer
    normalize: Normalize
    precision: Precision
    accumulation: int = 1
    clip_norm: float = 0.0
    clip_value: float = 0.0
    mix: Mix | None = None
    average: AveragedModel | None = None
    scaler: torch.amp.GradScaler = field(init=False)
    times: StepTimes = field(init=False)
    diverged: Tensor = field(init=False)
    finite_steps: Tensor = field(init=False)

    def __post_init__(self) -> None:
        device = self.precision.device
        self.scaler = self.precision.scaler()
        self.times = StepTimes(device)
        self.diverged = torch.zeros((), device=device)
        self.finite_steps = torch.zeros((), dtype=torch.int64, device=device)

    def __call__(self, clips: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """One step.

        Args:
            clips: uint8 (clips, 3, frames, height, width), anywhere.
            labels: int64 (clips,).
            generator: for `mix`.

        Returns:
            float64 (4,) on the device: sum of losses, correct clips, clips, norm of the gradient
            before it was clipped.
        """
        labels = labels.to(self.precision.device, non_blocking=True)
        pixels = self.normalize(clips, self.precision.device)
        self.times.mark("transfer")
        pixels, targets = self.targets(pixels, labels, generator)
        self.optimizer.zero_grad(set_to_none=True)
        parts = self._parts(pixels, targets, labels)
        total, correct = torch.zeros((), device=labels.device), torch.zeros_like(labels[:1])
        for number, (part, target, label) in enumerate(parts, start=1):
            with self._synchronised(last=number == len(parts)):
                loss, logits = self.loss(part, target)
                loss = loss * (len(part) / len(pixels))
                self.times.mark("forward")
                self.scaler.scale(loss).backward()
                self.times.mark("backward")
            total = total + loss.detach()
            correct = correct + (predicted_classes(logits.detach()) == label).sum()
        norm = self._step(total)
        self.times.mark("update")
        self.times.steps += 1
        count = len(labels)
        sums = [total.double() * count, correct[0], correct.new_tensor(count), norm]
        return torch.stack([value.detach().double() for value in sums])

    def targets(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Clips and targets after mixing: labels themselves, or float32 (clips, classes)."""
        return self.mix(pixels, labels, generator) if self.mix else (pixels, labels)

    def loss(
        self, pixels: Tensor, targets: Tensor, network: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean loss of the clips, and their logits in float32."""
        with self.precision.autocast():
            logits = (network or self.compiled)(pixels).float()
        return F.cross_entropy(logits, targets), logits

    def losses(
        self,
        clips: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        network: nn.Module | None = None,
    ) -> Iterator[Tensor]:
        """The losses of a batch's parts, for what is no step of the run.

        Of the bare network, or of another that takes its place.
        """
        device = self.precision.device
        pixels, targets = self.targets(self.normalize(clips, device), labels.to(device), generator)
        for part, target in self._parts(pixels, targets):
            yield self.loss(part, target, network or self.model)[0]

    def _parts(self, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
        """What is computed at a time."""
        return list(zip(*(t.tensor_split(self.accumulation) for t in tensors), strict=True))

    def _synchronised(self, *, last: bool) -> AbstractContextManager[Any]:
        """Gradients are averaged over processes once a step."""
        if last or not isinstance(self.parallel, DistributedDataParallel):
            return nullcontext()
        return self.parallel.no_sync()

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
