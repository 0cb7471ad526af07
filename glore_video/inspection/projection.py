"""What GloRe units look at: their projections of positions onto nodes, and which nodes matter.

Chen et al., "Graph-Based Global Reasoning Networks", CVPR 2019, figure of the projection weights:
row i of B = conv_proj(X) says with which weight each position is gathered into node i, and with
which it gets the node's answer back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from glore_video.errors import UsageError
from glore_video.inspection.targets import Target, choose_class, score
from glore_video.inspection.unchanged import Clip, running, uncompiled
from glore_video.models.networks.inserted_units import glore_units
from glore_video.models.units.glore_unit import GloreUnit


@dataclass(frozen=True)
class UnitInspection:
    """What one unit did with one clip; float32 on the CPU.

    Attributes:
        maps: B, the weight of each position in each node, (nodes, *positions): (nodes, t, h, w) in
            3D networks, (nodes, tokens) in transformers.
        importance: of each node for the class, (nodes,): Σ over the states s of
            Z[s, node] dlogit/dZ[s, node], gradient times activation of the node's features after
            reasoning. To first order, the logit falls by it when the node's answer is left out.
        adjacency: I + A, (nodes, nodes): row i holds the weights with which node i takes the
            features of all nodes. A is the weight of `gcn.conv1`.
        activity: mean over the picture of |B|, (nodes, t); for 2D units and tokens
            (nodes, 1).
    """

    maps: Tensor
    importance: Tensor
    adjacency: Tensor
    activity: Tensor

    def ranking(self) -> list[int]:
        """Nodes, the one whose importance is furthest from zero first."""
        return self.importance.abs().argsort(descending=True, stable=True).tolist()


@dataclass(frozen=True)
class Inspection:
    """What was asked about, and the units by their path.

    Attributes:
        logits: of the clip, (classes,); None where the target is a function of the outputs.
        target: the class, likewise.
    """

    logits: Tensor | None
    target: int | None
    units: dict[str, UnitInspection]


def projection_maps(model: nn.Module, clip: Clip) -> dict[str, Tensor]:
    """The projection weights B of every GloRe unit that a clip passes.

    The network runs once in eval mode; its modes, parameters, buffers, gradients and hooks are as
    before afterwards, also if it fails.

    Args:
        model: a network with GloRe units; the copy of `fuse_for_inference` will do as well.
        clip: its input for one video: (3, t, h, w), or with a batch axis of one; (3, h, w) for 2D
            networks and transformers; for SlowFast also a list of two clips.

    Returns:
        Path of the unit -> float32 (nodes, t, h, w) on the CPU; (nodes, h, w) in 2D networks,
        (nodes, tokens) of tokens. Of a unit that runs several times, the last run.

    Raises:
        ValueError: if the network has no GloRe unit, none of them runs, or there are several clips.
    """
    model = uncompiled(model)
    units = _units(model)
    found: dict[str, Tensor] = {}

    def keep(path: str) -> Callable[..., None]:
        def hook(unit: Any, inputs: tuple[Tensor, ...]) -> None:
            found[path] = _projection(unit, inputs[0])

        return hook

    with ExitStack() as stack:
        stack.enter_context(running(model))
        stack.enter_context(torch.no_grad())
        for path, unit in units.items():
            handle = unit.register_forward_pre_hook(keep(path))
            stack.callback(handle.remove)
        model(_batch_of_one(clip, model, units))
    _some_ran(found)
    return {path: _plain(found[path]) for path in units if path in found}


def inspect_units(model: nn.Module, clip: Clip, *, target: Target = None) -> Inspection:
    """Everything there is to see of every GloRe unit: one pass forward and one backward.

    The network is left as `projection_maps` leaves it.

    Args:
        model, clip: as in `projection_maps`.
        target: the class whose logit the nodes' importance is for, the predicted one by default; or
            a function of the outputs, as for `grad_cam`.

    Raises:
        ValueError: as `projection_maps`, and for a class that the network does not have.
    """
    model = uncompiled(model)
    units = _units(model)
    maps: dict[str, Tensor] = {}
    taps: dict[str, Tensor] = {}

    def keep(path: str) -> Callable[..., None]:
        def hook(unit: Any, inputs: tuple[Tensor, ...]) -> None:
            maps[path] = _projection(unit, inputs[0].detach())

        return hook

    def tap(path: str) -> Callable[..., Tensor]:
        def hook(gcn: nn.Module, inputs: Any, evolved: Tensor) -> Tensor:
            # A factor of one for each node: its gradient is gradient times activation.
            taps[path] = torch.ones_like(evolved[0, 0], requires_grad=True)  # (nodes,)
            return evolved * taps[path]  # (batch, states, nodes)

        return hook

    with ExitStack() as stack:
        stack.enter_context(running(model))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_published_order(units.values()))
        for path, unit in units.items():
            handles = [unit.register_forward_pre_hook(keep(path))]
            handles.append(unit.gcn.register_forward_hook(tap(path)))
            for handle in handles:
                stack.callback(handle.remove)
        outputs = model(_batch_of_one(clip, model, units))
        _some_ran(maps)
        chosen = None if callable(target) else choose_class(outputs, target)
        paths = [path for path in units if path in taps]
        gradients = torch.autograd.grad(
            score(outputs, target if chosen is None else chosen),
            [taps[path] for path in paths],
            allow_unused=True,
        )
    return Inspection(
        logits=None if chosen is None else _plain(outputs),
        target=chosen,
        units={
            path: UnitInspection(
                maps=(plain := _plain(maps[path])),
                importance=_importance(gradient, taps[path]),
                adjacency=adjacency(units[path]),
                activity=_activity(plain),
            )
            for path, gradient in zip(paths, gradients, strict=True)
        },
    )


def adjacency(unit: GloreUnit) -> Tensor:
    """I + A of a unit, float32 (nodes, nodes) on the CPU: conv1(V) + V = (I + A) V + bias.

    In a pre-activated unit A mixes what the batch norm and the ReLU before it leave of V.
    """
    weight = unit.gcn.conv1.weight.detach().squeeze(2).float().cpu()
    return weight + torch.eye(len(weight))


def _units(model: nn.Module) -> dict[str, GloreUnit]:
    units = glore_units(model)
    if not units:
        raise UsageError(
            f"this {type(model).__name__} has no GloRe unit, so there are no projection maps"
        )
    return units


def _projection(unit: GloreUnit, x: Tensor) -> Tensor:
    """B of a unit's input in either layout, (1, nodes, *positions)."""
    projection: Tensor = unit.conv_proj(x if unit.layout == "channels_first" else x.movedim(-1, 1))
    return projection


def _input_axes(model: nn.Module, units: Mapping[str, GloreUnit]) -> int:
    """Axes of a batch: convolutions say it, since tokens of pictures have units of one axis."""
    layers = [len(m.kernel_size) for m in model.modules() if isinstance(m, _ConvNd)]
    return 2 + max([unit.dimension for unit in units.values()] + layers)


def _batch_of_one(clip: Clip, model: nn.Module, units: Mapping[str, GloreUnit]) -> Clip:
    axes = _input_axes(model, units)

    def batched(each: Tensor) -> Tensor:
        each = each[None] if each.dim() == axes - 1 else each
        if each.dim() != axes or len(each) != 1:
            raise UsageError(
                f"one clip is needed, of {axes - 1} axes or of {axes} of which the first is 1, got "
                f"shape {tuple(each.shape)}"
            )
        return each

    return batched(clip) if isinstance(clip, Tensor) else [batched(each) for each in clip]


@contextmanager
def _published_order(units: Any) -> Iterator[None]:
    """Layer by layer, so that the hook on the graph convolution runs."""
    orders = {unit: unit.order for unit in units}
    try:
        for unit in orders:
            unit.order = "published"
        yield
    finally:
        for unit, order in orders.items():
            unit.order = order


def _some_ran(found: Mapping[str, Tensor]) -> None:
    if not found:
        raise UsageError("none of the network's GloRe units ran")


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach()[0].float().cpu()


def _importance(gradient: Tensor | None, tap: Tensor) -> Tensor:
    return (torch.zeros_like(tap) if gradient is None else gradient).detach().float().cpu()


def _activity(maps: Tensor) -> Tensor:
    """(nodes, t, h, w) -> (nodes, t); (nodes, h, w) and (nodes, tokens) -> (nodes, 1)."""
    frames = maps.shape[1] if maps.dim() == 4 else 1
    return maps.abs().reshape(maps.shape[0], frames, -1).mean(2)
