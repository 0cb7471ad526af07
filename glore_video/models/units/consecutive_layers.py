"""Layers of a network that follow one another: the second takes the first's output and nobody else.

Found by torch.fx where it can trace: the whole network if possible, else its parts, each by itself.
A part's own graph can't tell whether the network also uses the part's layers from outside. So
parts count only where what holds them is known to call them whole, or where it did so on an example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from typing import Any, cast

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from glore_video.models.units.glore_unit import GloreUnit

Edge = tuple[str, str]
# Here no module's forward pass uses the layers inside of its children.
_CALL_CHILDREN_WHOLE = (
    "glore_video.",
    "pytorchvideo.",
    "torch.nn.modules.container",
    "torch.nn.parallel.",
    "torch.distributed.",  # wrappers of activation checkpoints
)


def consecutive_layers(model: nn.Module, example: Any = None) -> set[Edge]:
    """Paths of two leaf modules, for each pair of which the second is all that uses the first.

    Both run once in a forward pass of the network.

    Args:
        model: the network, in the mode in which it is to be used.
        example: an input, on which the network is run once to watch what torch.fx can't trace.
    """
    parts = list(_parts(model, "", known=True))
    unknown = {path: edges for path, edges, known in parts if not known}
    whole: set[str] = set()
    if unknown and example is not None:
        whole = _called_whole(model, unknown, example)
    return {edge for path, edges, known in parts if known or path in whole for edge in edges}


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        # What has a hook, as blocks with a unit do, is looked into by itself.
        return (
            isinstance(m, GloreUnit)
            or _is_hooked(m)
            or super().is_leaf_module(m, module_qualified_name)
        )


def _is_hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _parts(module: nn.Module, path: str, *, known: bool) -> Iterator[tuple[str, set[Edge], bool]]:
    """Path of each part that can be traced, what is consecutive in it, and whether that is known.

    Args:
        known: whether what is around the module calls it whole.
    """
    if isinstance(module, GloreUnit) or next(module.children(), None) is None:
        return
    graph = None
    if "forward" not in module.__dict__:  # fx traces that of the class
        try:
            graph = _Tracer().trace(module)
        except Exception:  # whatever a forward raises when it meets a proxy
            known = known and type(module).__module__.startswith(_CALL_CHILDREN_WHOLE)
    else:
        known = False
    before = f"{path}." if path else ""
    if graph is None:
        for name, child in module.named_children():
            yield from _parts(child, before + name, known=known)
        return
    calls = [node for node in graph.nodes if node.op == "call_module"]
    times = Counter(cast(str, node.target) for node in calls)
    used = {cast(str, node.target) for node in graph.nodes if node.op == "get_attr"}
    edges = set()
    for node in calls:
        source = node.args[0] if len(node.args) == 1 and not node.kwargs else None
        if isinstance(source, fx.Node) and source.op == "call_module" and len(source.users) == 1:
            edge = cast(Edge, (source.target, node.target))
            if all(times[layer] == 1 and not _holds(layer, used) for layer in edge):
                edges.add((before + edge[0], before + edge[1]))
    yield path, edges, known
    for leaf in times:
        block = module.get_submodule(leaf)
        if _is_hooked(block):
            inside = known and not _holds(leaf, {*times, *used} - {leaf})
            yield from _parts(block, before + leaf, known=inside)


def _holds(path: str, others: set[str]) -> bool:
    """Whether one of the others lies inside."""
    return any(other.startswith(f"{path}.") for other in others)


def _called_whole(model: nn.Module, parts: Mapping[str, set[Edge]], example: Any) -> set[str]:
    """Of these parts, those that run on an example, and no layer of whose edges runs outside of them."""
    owners = {
        id(tensor): path
        for path, edges in parts.items()
        for layer in chain.from_iterable(edges)
        for tensor in _tensors(model.get_submodule(layer))
    }
    paths = {model.get_submodule(path): path for path in parts}
    running: Counter[str] = Counter()
    ran: set[str] = set()
    touched: set[str] = set()

    class Watch(TorchFunctionMode):
        def __torch_function__(
            self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            for value in tree_leaves((args, kwargs)):
                path = owners.get(id(value))
                if path is not None and not running[path]:
                    touched.add(path)
            return func(*args, **(kwargs or {}))

    def enter(part: nn.Module, inputs: Any) -> None:
        running[paths[part]] += 1
        ran.add(paths[part])

    def leave(part: nn.Module, inputs: Any, output: Any) -> None:
        running[paths[part]] -= 1

    with ExitStack() as stack:
        for part in paths:
            stack.callback(part.register_forward_pre_hook(enter).remove)
            stack.callback(part.register_forward_hook(leave).remove)
        with torch.no_grad(), Watch():
            model(example)
    return ran - touched


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    return chain(module.parameters(), module.buffers())
