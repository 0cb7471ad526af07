"""A network's inference form: batch norms folded into the convolutions before them."""

from __future__ import annotations

import copy
import math
from collections import Counter, OrderedDict
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from glore_video.errors import UsageError
from glore_video.models.networks.preact_blocks import PreactConv, PreactConv2d, PreactConv3d
from glore_video.models.units.consecutive_layers import consecutive_layers
from glore_video.models.units.glore_unit import GloreUnit
from glore_video.models.units.plain_layers import is_plain
from glore_video.models.units.tensors import is_channels_last
from glore_video.models.units.unit_ends import JointBatchNorm, LearnedScale

Model = TypeVar("Model", bound=nn.Module)

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fuse_for_inference(model: Model, example: Any = None) -> Model:
    """A copy of a network that computes the same with fewer operations; for inference only.

    Batch norms whose input is one convolution's output fold into that convolution, where torch.fx can
    trace the network. Of a network that it can't trace, parts are folded that an example shows to be
    called whole; without one, those of this package's and pytorchvideo's networks. In GloRe units
    of the form "post" whose layers are their own (`GloreUnit.has_own_layers`) the blocker and the
    second half of the graph convolution fold into `conv_extend`, two linear layers in a row.
    3D convolutions without spatial extent run as 2D ones, for which kernels are better. Where the
    paper's network normalises a whole map of which a strided 1 x 1 x 1 convolution reads a part,
    only that part is normalised. Folded modules become `nn.Identity`, so the copy's keys are no
    longer the network's.

    Args:
        model: a network in eval mode, unchanged.
        example: an input of it. The network is run on it once, if torch.fx can't trace it.

    Returns:
        The copy, in eval mode, its parameters without gradients; outputs equal the network's to
        rounding (1e-5 relative in float32).

    Raises:
        ValueError: if the network, or a batch norm in it, is in train mode.
    """
    training = [path or "the network" for path, m in model.named_modules() if _trains(m, path)]
    if training:
        raise UsageError(
            f"fuse_for_inference needs a network in eval mode; {training[0]} is in train mode: "
            f"call model.eval() first"
        )
    fused = copy.deepcopy(model).requires_grad_(False)
    shared = _shared_modules(fused)
    edges = {
        (first, second)
        for first, second in consecutive_layers(fused, example)
        if not {id(fused.get_submodule(path)) for path in (first, second)} & shared
    }
    for first, second in edges:
        conv, norm = fused.get_submodule(first), fused.get_submodule(second)
        if _foldable(conv, norm):
            fused.set_submodule(first, fuse_conv_bn_eval(cast(Any, conv), cast(Any, norm)))
            fused.set_submodule(second, nn.Identity())
    left_alone = set(shared)
    for module in list(fused.modules()):
        if isinstance(module, GloreUnit):
            _fuse_unit(module, shared)
            left_alone.update(id(layer) for layer in module.modules())
    for path, module in list(fused.named_modules()):
        if not path or id(module) in left_alone:
            continue
        if _is_temporal(module):
            fused.set_submodule(path, _TemporalConv3d(cast(nn.Conv3d, module)))
        elif _reads_a_part(module, path, edges):
            fused.set_submodule(path, _strided_first(cast(PreactConv, module)))
    return fused


class _Stride(nn.Module):
    """Every so many frames, rows and columns, in the memory format of the input."""

    def __init__(self, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        steps = (slice(None), slice(None), *(slice(None, None, step) for step in self.stride))
        taken = x[steps]
        if not is_channels_last(x):
            return taken.contiguous()
        clips = len(self.stride) == 3
        return taken.contiguous(
            memory_format=torch.channels_last_3d if clips else torch.channels_last
        )

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


def _reads_a_part(block: nn.Module, path: str, edges: set[tuple[str, str]]) -> bool:
    """Whether the block normalises a whole map of which its convolution reads a part."""
    return bool(
        is_plain(block, PreactConv2d, PreactConv3d)
        and {(f"{path}.bn", f"{path}.relu"), (f"{path}.relu", f"{path}.conv")} <= edges
        and is_plain(cast(nn.Module, block.bn), *_BATCH_NORMS, nn.Identity)
        and is_plain(cast(nn.Module, block.relu), nn.ReLU)
        and is_plain(conv := cast(Any, block.conv), nn.Conv2d, nn.Conv3d)
        and {*conv.kernel_size} == {1}
        and {*conv.padding} == {0}
        and {*conv.stride} != {1}
    )


def _strided_first(block: PreactConv) -> nn.Sequential:
    stride = _Stride(block.conv.stride)
    block.conv.stride = (1,) * len(block.conv.stride)
    layers = {"stride": stride, "bn": block.bn, "relu": block.relu, "conv": block.conv}
    return nn.Sequential(OrderedDict(layers)).train(block.training)


class _TemporalConv3d(nn.Conv3d):
    """A convolution over time alone, computed in two dimensions: time, and all pixels in one.

    Shapes: (batch, in_channels, t, h, w) -> (batch, out_channels, t', h, w).
    """

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            cast(tuple[int, int, int], conv.kernel_size),
            stride=cast(tuple[int, int, int], conv.stride),
            padding=cast(tuple[int, int, int], conv.padding),
            dilation=cast(tuple[int, int, int], conv.dilation),
            groups=conv.groups,
            device="meta",
        )
        self.weight = conv.weight
        self.bias = conv.bias
        self.train(conv.training)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.conv2d(
            x.flatten(3),  # (batch, in_channels, t, h * w)
            self.weight.flatten(3),
            self.bias,
            self.stride[:2],
            self.padding[:2],
            self.dilation[:2],
            self.groups,
        )
        return y.unflatten(3, x.shape[3:])


def _is_temporal(module: Any) -> bool:
    return bool(
        is_plain(module, nn.Conv3d)
        and module.kernel_size[1:] == module.stride[1:] == (1, 1)
        and not isinstance(module.padding, str)
        and tuple(module.padding[1:]) == (0, 0)
        and module.padding_mode == "zeros"
    )


def _trains(module: nn.Module, path: str) -> bool:
    return module.training and (not path or isinstance(module, (_BatchNorm, GloreUnit)))


def _shared_modules(model: nn.Module) -> set[int]:
    """Modules that stand at several places or run hooks: not to be folded."""
    places = Counter(id(m) for _, m in model.named_modules(remove_duplicate=False))
    hooked = {
        id(m)
        for m in model.modules()
        if m._forward_hooks or m._forward_pre_hooks or m._backward_hooks
    }
    return {i for i, count in places.items() if count > 1} | hooked


def _foldable(conv: nn.Module, norm: nn.Module) -> bool:
    return (
        is_plain(conv, *_CONVOLUTIONS)
        and is_plain(norm, *_BATCH_NORMS)
        and norm.running_mean is not None
        and norm.running_var is not None
    )


def _fold_end(unit: GloreUnit) -> None:
    """Folds `blocker` into `conv_extend`, in eval mode."""
    end = unit.blocker
    if _foldable(unit.conv_extend, end):
        unit.conv_extend = fuse_conv_bn_eval(unit.conv_extend, cast(Any, end))
    elif is_plain(end, LearnedScale):
        unit.conv_extend.weight = nn.Parameter(
            unit.conv_extend.weight * cast(LearnedScale, end).gamma, requires_grad=False
        )
    elif is_plain(end, JointBatchNorm) and _foldable(unit.conv_extend, cast(Any, end).norm):
        joint: Any = cast(JointBatchNorm, end).norm
        channels = unit.conv_extend.out_channels
        unit.conv_extend = fuse_conv_bn_eval(unit.conv_extend, _of_each_channel(joint, channels))
    else:
        return
    unit.blocker = nn.Identity()


def _of_each_channel(joint: Any, channels: int) -> Any:
    """The norm of one channel as one of several that all have its statistics and weights."""
    norm: Any = nn.BatchNorm1d(channels, eps=joint.eps, affine=joint.affine, device="meta").eval()
    for name, tensor in (*joint.named_parameters(), *joint.named_buffers()):
        value = tensor.detach().expand(channels) if tensor.dim() else tensor
        if name in norm._parameters:
            value = nn.Parameter(value, requires_grad=False)
        setattr(norm, name, value)
    return norm


@torch.no_grad()
def _fuse_unit(unit: GloreUnit, shared: set[int]) -> None:
    """Folds `blocker` and `gcn.conv2` into `conv_extend`, in a unit of known layers."""
    if unit.form == "preactivated":  # no convolution in front of its batch norms
        return
    if not unit.has_own_layers() or {id(layer) for layer in unit.modules()} - {id(unit)} & shared:
        return
    _fold_end(unit)
    conv2: Any = unit.gcn.conv2
    if isinstance(conv2, nn.Identity):
        return
    weight = unit.conv_extend.weight
    product = weight.flatten(1).double() @ conv2.weight.squeeze(2).double()
    # Without `normalize` the batch norm divides by about the number of positions: the rest is
    # what fp16 can hold. A power of two changes no digit.
    largest = 0.0 if product.is_meta else product.abs().max().item()
    if 0 < largest < math.inf:
        unit.extend_scale = 2.0 ** math.floor(math.log2(largest))
        product /= unit.extend_scale
    # Not in place: another layer may share the weight.
    weight = torch.empty_like(weight).copy_(product.reshape_as(weight))
    unit.conv_extend.weight = nn.Parameter(weight, requires_grad=False)
    unit.gcn.conv2 = nn.Identity()
