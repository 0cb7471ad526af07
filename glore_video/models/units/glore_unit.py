"""The global reasoning (GloRe) unit.

Chen et al., "Graph-Based Global Reasoning Networks", CVPR 2019, section 3; layer names and
computation as in `network/global_reasoning_unit.py` of facebookresearch/GloRe.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, fx, nn

from glore_video.errors import UsageError
from glore_video.models.units.glore_unit_orders import (
    Order,
    computing_dtype,
    published,
    reassociated,
)
from glore_video.models.units.graph_convolution import GraphConvolution
from glore_video.models.units.lean_order import lean
from glore_video.models.units.order_choice import auto_order, explain_order
from glore_video.models.units.plain_layers import has_global_hooks, is_plain, is_pointwise
from glore_video.models.units.preactivated import (
    PreactivatedConv,
    PreactivatedGraphConvolution,
    preactivated,
    state_can_move,
)
from glore_video.models.units.tensors import is_traced, is_transformed
from glore_video.models.units.unit_costs import Chosen
from glore_video.models.units.unit_ends import End, make_end
from glore_video.models.units.unit_options import Form, Layout, check_options, check_order

_LAYERS: dict[int, tuple[Any, Any]] = {
    1: (nn.Conv1d, nn.BatchNorm1d),
    2: (nn.Conv2d, nn.BatchNorm2d),
    3: (nn.Conv3d, nn.BatchNorm3d),
}


class GloreUnit(nn.Module):
    """Global reasoning unit: project positions onto nodes, reason over the nodes, project back.

    With X of (batch, channels, L positions):

        B = conv_proj(X)                                (batch, nodes, L)
        V = conv_state(X) Bᵀ, divided by L if normalize (batch, states, nodes)
        Z = gcn(V) = conv2(relu(conv1(V) + V))          (batch, states, nodes)
        Y = X + blocker(conv_extend(Z B))               (batch, channels, L)

    That is the form "post". In the form "preactivated", of the paper's picture networks, a batch norm
    and a ReLU stand before each of the five convolutions, which have no bias (`PreactivatedConv`,
    `PreactivatedGraphConvolution`: Z = conv2(relu(bn2(conv1(relu(bn1(V))) + V)))), and no blocker at
    the end; there V is published without a division by L.

    The paper writes the reasoning as Z = ((I - A) V) W. The published video code, followed here,
    adds where the paper subtracts (learning absorbs the sign), biases the node mixing and puts a
    ReLU between the two products. Module names are the published ones.

    `blocker`, the last batch norm, starts with a zero weight: a new unit is exactly the identity. In
    the pre-activated form the last convolution starts at zero (a batch norm that is zero before a ReLU
    would never learn).

    `order` chooses how the same function is computed. "published": layer by layer, as written
    above. "reassociated": V as W_s (X Bᵀ) + b_s (Σ B)ᵀ and extend(Z B) as (W_e Z) B, with the batch
    norm or gamma folded into W_e Z and all that is summed over positions kept in range in fp16. "lean":
    the same products in few operators, the batch norm as one of them; in fp16 it is the reassociated
    order. Both save only X, B and matrices without a position axis for the backward pass. "auto" takes
    the order that should take the least time by launches, bytes and multiply-adds (`order_choice`,
    `device_rates`); where the batch must not matter, as under torch.compile, the published order where
    it needs fewer multiply-adds, and else on CPUs the reassociated and on GPUs, which wait for launches,
    the lean one; `explain` tells. Counters of multiply-adds (fvcore's, torch's) count the order that runs. In the pre-activated form
    the state alone moves, V = W_s (relu(bn(X)) Bᵀ), whether reassociated or lean; `conv_extend` is
    called, for its batch norm stands between it and Z B. A joint batch norm is called too. "triton" is the
    lean order with kernels of our own on the graph (`triton_graph`): experimental, never taken by "auto".

    The reordered ones read the layers' parameters without calling them. So whatever `order`
    says, the published one runs where that could matter: a layer was exchanged or changed, pruned or
    parametrised, has hooks or a forward pass of its own (`has_own_layers`), the batch is empty, or
    torch.func or forward-mode differentiation is at work.

    In fp16 under autocast, inputs with a standard deviation of up to 100 stay in range, in either
    mode. `unit.half()` puts the running variance of `blocker` into fp16 as well, which it exceeds
    from a standard deviation of 10 on (of 1 without `normalize`): keep `blocker` in float32, or call
    `fuse_for_inference` before.

    Args:
        channels: channels of the feature map.
        nodes: graph nodes; channels // 4 by default.
        states: features of each node; channels // 2 by default.
        dimension: 1, 2 or 3, the number of position axes.
        form: "post" or "preactivated".
        end: of the form "post", what `blocker` is: "batch_norm", "gamma" (one learned scalar) or
            "joint_batch_norm" (over all channels as one). Known from copies of the authors' code for
            segmentation.
        relu: of the form "post", the ReLU between the two graph products.
        scale: multiplies V, besides the division by `normalize`: 1000 with it is 1000 / L.
        normalize: divide V by the number of positions, so that the output does not grow with the
            input size (without it, fp16 overflows easily). The published weights were trained
            with it off.
        order: "auto", "published", "reassociated", "lean" or "triton"; also an attribute, to be changed at
            any time.
        layout: "channels_first", or "channels_last" for tokens and maps whose last axis is that of
            the channels, as transformers have them.

    Shapes: (batch, channels, *positions) -> the same, with `dimension` position axes of any size;
    (batch, *positions, channels) -> the same in the other layout. The memory format is kept.

    Raises:
        ValueError: for widths below 1, another dimension or order, or an input of another shape or
            without positions.
    """

    conv_state: Any  # a convolution, or a PreactivatedConv, as the other two
    conv_proj: Any
    gcn: Any
    conv_extend: Any
    blocker: nn.Module
    # What the weight of `conv_extend` is to be multiplied by: `fuse_for_inference` takes a factor
    # out of it that fp16 could not hold.
    extend_scale: float = 1.0
    # Of units that were pickled before there were these.
    layout: Layout = "channels_first"
    form: Form = "post"
    scale: float = 1.0

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        dimension: int = 3,
        normalize: bool = True,
        order: Order = "auto",
        layout: Layout = "channels_first",
        form: Form = "post",
        end: End = "batch_norm",
        relu: bool = True,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_options(form=form, end=end, relu=relu, scale=scale, order=order, layout=layout)
        if dimension not in _LAYERS:
            raise UsageError(f"dimension must be 1, 2 or 3, got {dimension}")
        nodes = channels // 4 if nodes is None else nodes
        states = channels // 2 if states is None else states
        for name, width in (("channels", channels), ("nodes", nodes), ("states", states)):
            if width < 1:
                raise UsageError(f"{name} must be at least 1, got {width} (channels={channels})")
        conv, batch_norm = _LAYERS[dimension]
        self.channels = channels
        self.nodes = nodes
        self.states = states
        self.dimension = dimension
        self.normalize = normalize
        self.order: Order = order
        self.layout: Layout = layout
        self.form: Form = form
        self.scale = float(scale)
        if form == "preactivated":
            self.conv_state = PreactivatedConv(batch_norm, conv, channels, states)
            self.conv_proj = PreactivatedConv(batch_norm, conv, channels, nodes)
            self.gcn = PreactivatedGraphConvolution(nodes, states)
            self.conv_extend = PreactivatedConv(batch_norm, conv, states, channels)
            self.blocker = nn.Identity()
            self.zero_init()
            return
        self.conv_state = conv(channels, states, kernel_size=1)
        self.conv_proj = conv(channels, nodes, kernel_size=1)
        self.gcn = GraphConvolution(nodes, states, relu=relu)
        self.conv_extend = conv(states, channels, kernel_size=1, bias=False)
        self.blocker = make_end(end, channels, batch_norm)
        self.zero_init()

    def zero_init(self) -> None:
        """Makes the unit the identity: zeroes `blocker`, or in the pre-activated form `conv_extend`."""
        if self.form == "preactivated":
            nn.init.zeros_(self.conv_extend.conv.weight)
        for parameter in self.blocker.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, fx.Proxy):
            return self._traced(x)
        self._check(x)
        if self.layout == "channels_last":
            return self._reason(x.movedim(-1, 1)).movedim(1, -1)
        return self._reason(x)

    def _check(self, x: Tensor) -> None:
        if not self.fits(x):
            axes = [str(self.channels), f"{self.dimension} position axes"]
            wanted = axes if self.layout == "channels_first" else axes[::-1]
            raise UsageError(
                f"GloreUnit needs (batch, {', '.join(wanted)}), got shape {tuple(x.shape)}"
            )
        if 0 in self._positions_of(x):
            raise UsageError(f"GloreUnit needs 1 position or more, got shape {tuple(x.shape)}")

    def _positions_of(self, x: Tensor) -> torch.Size:
        return x.shape[1:-1] if self.layout == "channels_last" else x.shape[2:]

    def _reason(self, x: Tensor) -> Tensor:
        """forward, of (batch, channels, *positions)."""
        with _profiled():
            order = self.resolve_order(
                math.prod(x.shape[2:]), computing_dtype(x), x.device, batch=x.shape[0]
            )
            # Of no numbers there are no statistics to compute; batch norms know that.
            publish = order == "published" or x.shape[0] == 0
            if self.form == "preactivated":
                return preactivated(self, x, reassociate=not publish)
            if publish:
                return published(self, x)
            return lean(self, x) if order == "lean" else reassociated(self, x)

    def fits(self, x: Tensor) -> bool:
        """Whether the unit was made for the channels and position axes of x."""
        axis = 1 if self.layout == "channels_first" else -1
        return x.dim() == self.dimension + 2 and x.shape[axis] == self.channels

    def resolve_order(
        self,
        positions: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        *,
        batch: int | None = None,
    ) -> Chosen:
        """The order in which so many positions a clip are computed.

        Args:
            positions: of a clip.
            dtype: of the products.
            device: of the input.
            batch: clips of the input; None: as where its number must not matter (`order_choice`).
        """
        order = self._asked_for(positions, dtype, torch.device(device), batch)
        if order == "published" or is_transformed() or not self.has_own_layers():
            return "published"
        return order

    def _asked_for(
        self, positions: int, dtype: torch.dtype, device: torch.device, batch: int | None
    ) -> Chosen:
        check_order(self.order)  # which may have been set since
        if self.order == "published":
            return "published"
        if dtype == torch.float16:  # whose range the others may leave
            return "reassociated"
        if self.order == "triton":  # the same products
            return "lean"
        if self.order != "auto":
            return self.order
        return auto_order(self, positions, dtype=dtype, device=device, batch=batch)

    def order_of(self, x: Tensor) -> Chosen:
        """The order in which an input, as in `forward`, is computed now."""
        positions = math.prod(self._positions_of(x))
        return self.resolve_order(positions, computing_dtype(x), x.device, batch=x.shape[0])

    def explain(self, x: Tensor) -> str:
        """How an input would be computed, and what each order costs.

        Args:
            x: as in `forward`; nothing is computed.

        Returns:
            A line an order: operators to launch, megabytes that they move, 1e9 multiply-adds, and
            where these decide the milliseconds that they come to by `device_rates`; the chosen one is
            marked. Training is counted where gradients are enabled. Of the pre-activated form, and of
            other ends than a batch norm, multiply-adds alone are known.

        Raises:
            ValueError: as `forward`.
        """
        self._check(x)
        length, dtype = math.prod(self._positions_of(x)), computing_dtype(x)
        return explain_order(
            *(self, self.order_of(x), length), dtype=dtype, device=x.device, batch=x.shape[0]
        )

    def _traced(self, x: fx.Proxy) -> Any:
        """Units are leaves of the graphs that torch.fx makes: the order depends on the input."""
        tracer: Any = x.tracer
        if tracer.root is self:
            raise UsageError(
                "torch.fx can't trace a GloRe unit alone, whose order of operations depends on the "
                "input; in a network it is one node, and torch.export takes both"
            )
        return tracer.create_proxy("call_module", tracer.path_of_module(self), (x,), {})

    def has_own_layers(self) -> bool:
        """Whether the layers are those the unit was made with, and calling them does nothing more.

        Otherwise they have to be called: exchanged, hooked, pruned or parametrised layers, and those
        whose forward pass was replaced. `fuse_for_inference` leaves such a unit as it is.
        """
        conv = _LAYERS[self.dimension][0]
        if self.form == "preactivated":
            return state_can_move(self, conv) and not has_global_hooks()
        layers: dict[str, Any] = self._modules
        gcn, extend, blocker = layers["gcn"], layers["conv_extend"], layers["blocker"]
        return (
            is_pointwise(layers["conv_state"], conv, bias=True)
            and is_pointwise(layers["conv_proj"], conv, bias=True)
            # The one that `fuse_for_inference` folded a batch norm into has a bias.
            and is_pointwise(extend, conv, bias=is_plain(blocker, nn.Identity))
            and extend.out_channels == self.channels
            and is_plain(gcn, GraphConvolution)
            and gcn.has_own_layers()
            and not has_global_hooks()
        )

    def extra_repr(self) -> str:
        return (
            f"channels={self.channels}, nodes={self.nodes}, states={self.states}, "
            f"normalize={self.normalize}, order={self.order!r}"
            + (f", form={self.form!r}" if self.form != "post" else "")
            + (f", scale={self.scale:g}" if self.scale != 1 else "")
        )


def _profiled() -> AbstractContextManager[object]:
    """Names the unit in profiles; a graph that is being captured has no use for it."""
    if torch.compiler.is_compiling() or is_traced():
        return nullcontext()
    return torch.profiler.record_function("glore_unit")


class _GloreUnitOfDimension(GloreUnit):
    """A unit whose number of position axes its class says; options as `GloreUnit`, but `dimension`."""

    _dimension: int

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        normalize: bool = True,
        order: Order = "auto",
        **options: Any,
    ) -> None:
        super().__init__(
            *(channels, nodes, states),
            dimension=self._dimension,
            normalize=normalize,
            order=order,
            **options,
        )


class GloreUnit1d(_GloreUnitOfDimension):
    """`GloreUnit` for (batch, channels, length)."""

    _dimension = 1


class GloreUnit2d(_GloreUnitOfDimension):
    """`GloreUnit` for (batch, channels, height, width)."""

    _dimension = 2


class GloreUnit3d(_GloreUnitOfDimension):
    """`GloreUnit` for (batch, channels, frames, height, width)."""

    _dimension = 3
