"""Put global units (GloRe, non-local) behind named blocks of an existing network.

A unit becomes a child of the block it follows, and a forward hook on the block applies it to the
block's output. No key of the host network changes; the unit's keys are `<path>.glore.*` or
`<path>.nonlocal_block.*`. The hooks are module-level functions, so the network still survives
deepcopy, pickle, torch.compile(fullgraph=True) and torch.export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models.networks.inserted_units import (
    GLORE,
    NONLOCAL,
    inserted_units,
    zero_init_unit,
)
from glore_video.models.networks.module_paths import find_block, match_blocks
from glore_video.models.networks.nonlocal2d import NonLocal2d
from glore_video.models.networks.output_shapes import OutputSize, feature_map, output_sizes
from glore_video.models.networks.plain_numbers import make_numbers_plain
from glore_video.models.networks.stages import blocks_of_counts
from glore_video.models.units.glore_unit import GloreUnit
from glore_video.models.units.idle_units import remove_hooks, stop_watching, watch_units
from glore_video.models.units.unit_ends import End
from glore_video.models.units.unit_options import LAYOUTS, Form, Layout

Model = TypeVar("Model", bound=nn.Module)


def insert_glore(
    model: Model,
    *,
    after: Sequence[str] | None = None,
    units: Sequence[int] | None = None,
    nodes: int | None = None,
    states: int | None = None,
    normalize: bool | None = None,
    form: Form | None = None,
    end: End = "batch_norm",
    relu: bool = True,
    scale: float = 1.0,
    example: Any = None,
    channels: int | None = None,
    dim: Literal[1, 2, 3] | None = None,
    layout: Layout | Literal["auto"] = "auto",
) -> Model:
    """Inserts a GloRe unit after each named block, in place.

    Blocks are named by path (`after`), or counted as the paper does (`units`). The network computes exactly what it did before, until the units are trained. Units that it does
    not run in its first forward pass, since it does not call their blocks as modules, are named by a
    warning then. `remove_glore` takes units out again. numpy numbers in the settings of its layers,
    as pytorchvideo leaves them, become Python's, so that torch.compile and torch.export take it.

    Args:
        model: any network with 1d, 2d or 3d feature maps, (batch, channels, *positions), or with
            tokens or maps whose channels come last, (batch, *positions, channels).
        after: paths of blocks as `model.named_modules()` names them, or patterns ("layer3.*"): see
            `match_blocks`.
        units: instead of `after`, (n, m): n units on Res3 and m on Res4, of a network whose four
            stages are known; where they then stand says `blocks_of_counts`.
        nodes, states: sizes of each unit; channels // 4 and channels // 2 of its block by default.
        form, normalize: as in `GloreUnit`; by default "post" with, but in networks whose publishers have
            them so (`PreactResNet2d`) "preactivated" without.
        end, relu, scale: as in `GloreUnit`.
        example: an input of the network. It is run once, in eval mode, to see what the blocks
            return. By default their outputs are taken to have the channels and axes of the last
            convolution that the block defines (of the last batch norm where there is none), which
            holds for residual blocks and not for those that end with a concatenation.
        channels, dim: channels and number of position axes of the blocks' outputs, where they
            are known.
        layout: of the blocks' outputs: "channels_first", "channels_last" (vision transformers), or
            "auto": as the outputs on the example have it, without an example channels first.

    Returns:
        The same model.

    Raises:
        UsageError: if a path does not exist, is named twice or already has a unit, if channels, dim
            and layout cannot be found, or for both or neither of `after` and `units`. The model is
            then unchanged.
    """
    if (after is None) == (units is None):
        raise UsageError("name the blocks in after, or give units, (on Res3, on Res4): one of them")
    if layout not in (*LAYOUTS, "auto"):
        raise UsageError(f"layout must be auto, {' or '.join(LAYOUTS)}, got {layout!r}")

    own_form: Form = getattr(model, "glore_form", "post")
    form = own_form if form is None else form
    if normalize is None:
        normalize = form == "post"

    def build(size: OutputSize) -> nn.Module:
        return GloreUnit(
            *(size.channels, nodes, states),
            dimension=size.dim,
            normalize=normalize,
            layout=size.layout,
            form=form,
            end=end,
            relu=relu,
            scale=scale,
        )

    def size(blocks: Mapping[str, nn.Module]) -> dict[str, OutputSize]:
        return output_sizes(model, blocks, example, channels, dim, layout)

    paths = blocks_of_counts(model, units) if after is None else after  # type: ignore[arg-type]
    return _insert(model, paths, GLORE, _apply_glore, build, size)


def remove_glore(model: Model, after: Sequence[str] | None = None) -> Model:
    """Takes inserted GloRe units out again, in place: the network computes what it did before.

    Args:
        model: a network with units of `insert_glore`.
        after: paths of the blocks, as they were given there; all that have a unit by default.

    Returns:
        The same model.

    Raises:
        ValueError: for a path without an inserted unit. The model is then unchanged.
    """
    if isinstance(after, str):
        raise UsageError(f"after must be a sequence of paths, got the string {after!r}")
    blocks = {
        path: module
        for path, module in model.named_modules(remove_duplicate=False)
        if isinstance(module._modules.get(GLORE), GloreUnit) and _runs_unit(module, _apply_glore)
    }
    for path in blocks if after is None else after:
        if path not in blocks:
            there = ", ".join(blocks) or "none"
            raise UsageError(f"no GloRe unit was inserted after {path!r}; blocks with one: {there}")
    for block in {blocks[path] for path in (blocks if after is None else after)}:
        del block._modules[GLORE]
        remove_hooks(block, _apply_glore)
    if not inserted_units(model):
        stop_watching(model)
    return model


def insert_nonlocal(
    model: Model,
    *,
    after: Sequence[str],
    instantiation: Literal["softmax", "dot_product"] = "softmax",
    pool: tuple[int, int, int] = (1, 2, 2),
    inner_channels: int | None = None,
    example: Any = None,
    channels: int | None = None,
    dim: Literal[2, 3] = 3,
) -> Model:
    """Inserts a non-local block after each named block, in place: pytorchvideo's, in 2D `NonLocal2d`.

    Wang et al., "Non-local Neural Networks", CVPR 2018, as SlowFast places it. The final batch
    norm starts at zero, so the network computes exactly what it did before.

    Args:
        model: a network with 3d feature maps, (batch, channels, frames, height, width), or 2d ones,
            (batch, channels, height, width).
        after: paths of blocks as `model.named_modules()` names them.
        instantiation: how affinities are normalised.
        pool: max-pooling of keys and values over (frames, height, width); (1, 1, 1) for none.
        inner_channels: width inside the block; channels // 2 by default.
        example, channels: as in `insert_glore`.
        dim: number of position axes of the blocks' outputs, where channels is known.

    Returns:
        The same model.

    Raises:
        ValueError: as `insert_glore`; also for feature maps of one axis, and for a pool over frames
            where there are none.
    """
    if instantiation not in ("softmax", "dot_product"):
        raise UsageError(f"instantiation must be softmax or dot_product, got {instantiation!r}")

    def build(size: OutputSize) -> nn.Module:
        if size.dim == 1:
            raise UsageError("a non-local block needs 3d or 2d feature maps, this network's are 1d")
        if size.dim == 2 and pool[0] != 1:
            raise UsageError(
                f"a non-local block of pictures can't pool {pool[0]} frames: pool = {tuple(pool)}"
            )
        if size.layout != "channels_first":
            raise UsageError("a non-local block needs channels first, this network's come last")
        inner = inner_channels or size.channels // 2
        block: nn.Module
        if size.dim == 2:
            block = NonLocal2d(
                size.channels, inner, pool=(pool[1], pool[2]), instantiation=instantiation
            )
        else:
            from glore_video.models.networks._pytorchvideo import create_nonlocal

            block = create_nonlocal(
                dim_in=size.channels,
                dim_inner=inner,
                pool_size=tuple(pool),
                instantiation=instantiation,
            )
        zero_init_unit(block)
        return block

    def size(blocks: Mapping[str, nn.Module]) -> dict[str, OutputSize]:
        return output_sizes(model, blocks, example, channels, dim if channels else None)

    return _insert(model, after, NONLOCAL, _apply_nonlocal, build, size)


def _apply_glore(block: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
    return _applied(block, GLORE, output)


def _apply_nonlocal(block: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
    return _applied(block, NONLOCAL, output)


def _applied(block: nn.Module, name: str, output: Any) -> Any:
    unit = getattr(block, name, None)
    if unit is None:  # somebody deleted it
        return output
    x = feature_map(block, output)
    if isinstance(unit, GloreUnit) and isinstance(x, Tensor) and not unit.fits(x):
        raise UsageError(
            f"the unit after a {type(block).__name__} was made for {unit.channels} channels and "
            f"{unit.dimension} position axes, as the block's layers have it, but the block returns "
            f"shape {tuple(x.shape)}: give insert_glore an example input, or channels, dim and layout"
        )
    return unit(x)


def _runs_unit(block: nn.Module, hook: Callable[..., Any]) -> bool:
    """Whether the block runs its unit: a plain Sequential does so by itself, with its last child."""
    return type(block).forward is nn.Sequential.forward or hook in block._forward_hooks.values()


def _insert(
    model: Model,
    after: Sequence[str],
    name: str,
    hook: Callable[[nn.Module, tuple[Any, ...], Any], Any],
    build: Callable[[OutputSize], nn.Module],
    size: Callable[[Mapping[str, nn.Module]], dict[str, OutputSize]],
) -> Model:
    if isinstance(after, str):
        raise UsageError(f"after must be a sequence of paths, got the string {after!r}")
    if any("*" in path for path in after):
        after = match_blocks(model, after)
    blocks: dict[str, nn.Module] = {}
    for path in after:
        block = find_block(model, path)
        if hasattr(block, name) or any(block is other for other in blocks.values()):
            raise UsageError(f"{path!r} already has a {name!r} unit or is named twice")
        blocks[path] = block
    units: dict[str, nn.Module] = {}
    for path, output_size in size(blocks).items():
        block = blocks[path]
        unit = build(output_size)
        like = next(_floating((*block.parameters(), *model.parameters())), None)
        if like is not None:
            unit.to(device=like.device, dtype=like.dtype)
        units[path] = unit.train(block.training)
    make_numbers_plain(model)
    for path, block in blocks.items():
        block.add_module(name, units[path])
        if not _runs_unit(block, hook):  # the hook stays where a unit was deleted by hand
            block.register_forward_hook(hook)
    watch_units(model, units.values())
    return model


def _floating(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """Parameters of quantised layers are integers, which a unit cannot be."""
    return (tensor for tensor in tensors if tensor.is_floating_point())
