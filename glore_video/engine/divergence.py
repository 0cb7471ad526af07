"""Where NaN or infinity came from: a batch computed again with every module watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.models.units.glore_unit import GloreUnit


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
    with _watched(model, found):
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
            for tensor in _tensors(output):
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


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)


def _described(tensor: Tensor) -> str:
    finite = torch.isfinite(tensor)
    bad = int((~finite).sum())
    rest = f", the others reach {tensor[finite].abs().max().item():.2g}" if finite.any() else ""
    return f": {bad} of {tensor.numel()} values are not finite{rest}"
