"""Divergence: where NaN or infinity came from, by a batch computed again with every module watched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.engine.checkpoint import last_checkpoint
from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import TrainingData, Words
from glore_video.engine.train_step import TrainStep
from glore_video.errors import UsageError
from glore_video.models.units.as_written import as_written
from glore_video.models.units.glore_unit import GloreUnit

logger = logging.getLogger(__name__)


def stop_if_diverged(
    step: TrainStep,
    data: TrainingData,
    process: Process,
    *,
    first_step: int,
    generator: Callable[[int, int], torch.Generator],
    output_dir: Path,
    words: Words,
) -> None:
    """Raises UsageError that names the step, the module and the samples. Every process must call it.

    Args:
        first_step: of this process, over all epochs.
        generator: that the step of an epoch had, both from 0.
    """
    flags = float(step.diverged), int(step.finite_steps)
    finite = [count for bad, count in process.gather(flags) if bad]
    if not finite:
        return
    steps = data.order.steps_per_epoch
    epoch, number = divmod(first_step + min(finite), steps)
    process.doing("looking for what is not finite")
    data.order.epoch, data.order.first = epoch, number
    batch = next(iter(data.loader))
    found = first_non_finite(
        step.model, step.losses(batch.inputs, batch.targets, generator(epoch, number))
    )
    reports = process.gather((found, [data.samples.path(i) for i in batch.indices]))
    found, paths = next((report for report in reports if report[0]), reports[0])
    logger.error("%s of the batch: %s", words.samples, ", ".join(paths))
    raise UsageError(
        f"the loss or its gradient was not finite at step {number + 1} of {steps} in epoch "
        f"{epoch + 1}: {found or 'it did not show when the batch was computed again'}. "
        f"{words.samples.capitalize()} of the batch: {', '.join(paths[:4])}"
        f"{', ... (log.txt)' if len(paths) > 4 else ''}. "
        f"{last_checkpoint(output_dir) or 'No checkpoint'} is the last good one. Lower "
        "SOLVER.BASE_LR, lengthen SOLVER.WARMUP_EPOCHS or set SOLVER.CLIP_GRAD_L2NORM"
    )


def first_non_finite(model: nn.Module, losses: Iterable[Tensor]) -> str | None:
    """What is first not finite when losses are computed, and their gradients; None if all is.

    Parameters first, then outputs of modules in the order of the forward pass, the loss, and
    gradients of outputs in the order of the backward pass. Gradients of parameters are lost.

    Args:
        model: with parameters as they were before the update that failed.
        losses: as each is taken, the model's forward pass runs.

    Returns:
        One phrase, such as "the output of blocks.1.res_blocks.0 (ResBlock): 3 of 4096 values are
        not finite, the others reach 6.5e+04".
    """
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            return f"the parameter {_public(name)} itself{_described(parameter)}"
    found: list[str] = []
    with as_written(model), _watched(model, found):
        for loss in losses:
            if not found and not bool(torch.isfinite(loss)):
                found.append(f"the loss itself, {loss.item()}, of finite logits")
            if not found:
                loss.backward()
            if found:
                break
    model.zero_grad(set_to_none=True)
    return found[0] if found else None


@contextmanager
def _watched(model: nn.Module, found: list[str]) -> Iterator[None]:
    """Notes what is not finite; inner modules come before those that they are part of.

    A unit is watched as a whole: it may not call its layers, and must compute what the step did.
    """

    def watch(name: str, kind: str) -> Callable[..., None]:
        def after(module: nn.Module, args: Any, output: Any) -> None:
            for tensor in tensors_of(output):
                if found:
                    return
                if not bool(torch.isfinite(tensor).all()):
                    found.append(f"the output of {name} ({kind}){_described(tensor)}")
                elif tensor.requires_grad:
                    tensor.register_hook(gradient_of(name, kind))

        return after

    def gradient_of(name: str, kind: str) -> Callable[[Tensor], None]:
        def arrived(gradient: Tensor) -> None:
            if not found and not bool(torch.isfinite(gradient).all()):
                found.append(f"the gradient at the output of {name} ({kind}){_described(gradient)}")

        return arrived

    within = {
        layer
        for unit in model.modules()
        if isinstance(unit, GloreUnit) and unit.order != "published"
        for layer in unit.modules()
        if layer is not unit
    }
    handles = [
        module.register_forward_hook(watch(_public(name) or "the network", type(module).__name__))
        for name, module in model.named_modules()
        if module not in within
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _public(name: str) -> str:
    return name.replace("_checkpoint_wrapped_module.", "").removesuffix(
        "._checkpoint_wrapped_module"
    )


def tensors_of(output: Any) -> Iterator[Tensor]:
    """The floating-point tensors of what a network or a layer returns, in any containers."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, (list, tuple, dict)):
        for part in output.values() if isinstance(output, dict) else output:
            yield from tensors_of(part)


def _described(tensor: Tensor) -> str:
    finite = torch.isfinite(tensor)
    bad = int((~finite).sum())
    rest = f", the others reach {tensor[finite].abs().max().item():.2g}" if finite.any() else ""
    return f": {bad} of {tensor.numel()} values are not finite{rest}"
