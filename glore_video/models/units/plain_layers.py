"""Whether calling a layer runs what its class says and nothing else: no hooks, no forward of its own.

Who reads a layer's weights in place of calling it (the reassociated order of a GloRe unit, folded
batch norms) passes over whatever else the call would do: forward and backward hooks (through which
pruning and the older weight norm and spectral norm work), parametrisations, a forward pass of one
instance alone (as LoRA patches and accelerate's offloading have), another stride or group count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules import module as _modules

# Hooks of these modules look on and change nothing: counters of multiply-adds, which are to count
# what runs without them, and our search for what is not finite.
_OBSERVERS = {
    "fvcore.nn.jit_analysis",
    "torch.utils.module_tracker",
    "glore_video.engine.divergence",
}
_POINT = {(1,), (1, 1), (1, 1, 1)}
_NO_PADDING = {(0,), (0, 0), (0, 0, 0)}


def is_plain(module: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Whether the module is of one of these very classes, and calling it runs their forward alone."""
    # A unit asks this of each of its layers in each forward pass: no look-ups that take long.
    if type(module) not in kinds or "forward" in module.__dict__:
        return False
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    ) or _only_observed(
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )


def is_pointwise(module: Any, kind: type[nn.Module], *, bias: bool) -> bool:
    """Whether the module is plain and multiplies by a matrix, its weight (out, in, 1, ...).

    Args:
        kind: class of convolution.
        bias: whether it has to have a bias among its parameters, or must not have any.
    """
    return bool(
        is_plain(module, kind)
        and module.kernel_size in _POINT
        and module.stride in _POINT
        and module.padding in _NO_PADDING
        and module.groups == 1
        and "bias" in module._parameters
        and (module._parameters["bias"] is not None) == bias
    )


def has_global_hooks() -> bool:
    """Whether torch runs hooks on all modules, other than those that look on."""
    return bool(_modules._has_any_global_hook()) and not _only_observed(
        _modules._global_forward_hooks,
        _modules._global_forward_pre_hooks,
        _modules._global_backward_hooks,
        _modules._global_backward_pre_hooks,
    )


def _only_observed(*hooks: Mapping[int, object]) -> bool:
    return all(
        getattr(hook, "__module__", None) in _OBSERVERS for each in hooks for hook in each.values()
    )
