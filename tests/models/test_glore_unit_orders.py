"""The reassociated order against the published one: values, gradients, statistics, memory, roads."""

import copy

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils._python_dispatch import TorchDispatchMode

from glore_video.models.units.glore_unit import GloreUnit, GloreUnit1d, GloreUnit2d, GloreUnit3d
from glore_video.models.units.glore_unit_orders import cheaper_order, multiply_adds

UNITS = [(GloreUnit1d, (7,)), (GloreUnit2d, (3, 5)), (GloreUnit3d, (2, 3, 4))]
LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


OTHERS = pytest.mark.parametrize("order", ["reassociated", "lean"])


def two_orders(
    kind=GloreUnit3d,
    sizes=(6, 3, 4),
    *,
    normalize=True,
    dtype=torch.float64,
    order="reassociated",
):
    """The same random unit twice: in the published order and in another one."""
    torch.manual_seed(0)
    unit = kind(*sizes, normalize=normalize).to(dtype)
    for name, parameter in unit.named_parameters():
        if name.startswith("blocker") or name.endswith("bias"):
            nn.init.normal_(parameter)
    nn.init.normal_(unit.blocker.running_mean)
    nn.init.uniform_(unit.blocker.running_var, 0.1, 1.0)
    other = copy.deepcopy(unit)
    unit.order, other.order = "published", order
    return unit, other


def output_and_gradients(unit, x, weights):
    x = x.detach().requires_grad_()
    y = unit(x)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), (x, *unit.parameters()))]


def relative(got, expected):
    return ((got - expected).norm() / expected.norm()).item()


@OTHERS
@pytest.mark.parametrize(("kind", "positions"), UNITS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels_last", [False, True])
def test_outputs_gradients_and_statistics_are_the_published_ones(
    kind, positions, normalize, training, channels_last, order
):
    published, unit = (
        u.train(training) for u in two_orders(kind, normalize=normalize, order=order)
    )
    x = torch.randn(3, 6, *positions, dtype=torch.float64)
    if channels_last and x.dim() in LAST:
        x = x.contiguous(memory_format=LAST[x.dim()])
    weights = torch.randn_like(x)
    expected = output_and_gradients(published, x, weights)
    for got, wanted in zip(output_and_gradients(unit, x, weights), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    for name, buffer in published.named_buffers():
        torch.testing.assert_close(unit.get_buffer(name), buffer, rtol=1e-12, atol=1e-12)


@OTHERS
@pytest.mark.parametrize("normalize", [True, False])
def test_single_precision(normalize, order):
    published, unit = two_orders(sizes=(64,), normalize=normalize, dtype=torch.float32, order=order)
    x = torch.randn(4, 64, 4, 10, 10)
    weights = torch.randn_like(x)
    expected = output_and_gradients(published.double(), x.double(), weights.double())
    rounding = x[:, 0].numel() * torch.finfo(torch.float32).eps / 2  # of a sum over all positions
    for got, wanted in zip(output_and_gradients(unit, x, weights), expected, strict=True):
        assert relative(got.double(), wanted) < rounding


@OTHERS
@pytest.mark.slow
@pytest.mark.parametrize("channels_last", [False, True])
def test_gradients_of_gradients(channels_last, order):
    _, unit = two_orders(GloreUnit2d, (3, 2, 2), order=order)
    names = [name for name, _ in unit.named_parameters()]
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)

    def call(x, *parameters):
        return torch.func.functional_call(unit, dict(zip(names, parameters, strict=True)), (x,))

    inputs = (x.requires_grad_(), *unit.parameters())
    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


@OTHERS
def test_input_without_gradient(order):
    published, unit = two_orders(order=order)
    x = torch.randn(2, 6, 2, 3, 4, dtype=torch.float64)
    expected = torch.autograd.grad(published(x).square().sum(), tuple(published.parameters()))
    grads = torch.autograd.grad(unit(x).square().sum(), tuple(unit.parameters()))
    for got, wanted in zip(grads, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


@OTHERS
def test_running_statistics_of_several_steps_without_momentum(order):
    published, unit = two_orders(order=order)
    for u in (published, unit):
        u.blocker.reset_running_stats()
        u.blocker.momentum = None
    for _ in range(3):
        x = torch.randn(2, 6, 2, 3, 4, dtype=torch.float64)
        published(x), unit(x)
    assert unit.blocker.num_batches_tracked == 3
    torch.testing.assert_close(unit.blocker.running_mean, published.blocker.running_mean)
    torch.testing.assert_close(unit.blocker.running_var, published.blocker.running_var)


@OTHERS
def test_batch_norm_without_statistics_or_weights(order):
    published, unit = two_orders(order=order)
    for u in (published, unit):
        u.blocker = nn.BatchNorm3d(6, affine=False, track_running_stats=False).double()
    x = torch.randn(2, 6, 2, 3, 4, dtype=torch.float64)
    for u in (published, unit):
        u.eval()
    torch.testing.assert_close(unit(x), published(x))


@OTHERS
def test_a_single_value_has_no_statistics(order):
    unit = GloreUnit1d(4, order=order)
    with pytest.raises(ValueError, match="more than one value a channel"):
        unit(torch.ones(1, 4, 1))


def test_multiply_adds_of_res3():
    """512 channels, 128 nodes, 256 states, 4 x 28 x 28 positions, by hand."""
    assert multiply_adds(512, 128, 256, 3136, "published") == 1_245_708_288
    assert multiply_adds(512, 128, 256, 3136, "reassociated") == 662_700_032


@pytest.mark.parametrize(
    ("channels", "positions", "order"),
    [
        (512, 170, "published"),
        (512, 171, "reassociated"),
        (1024, 341, "published"),
        (1024, 342, "reassociated"),
        (2048, 196, "published"),
    ],
)
def test_auto_takes_what_multiplies_less(channels, positions, order):
    nodes, states = channels // 4, channels // 2
    assert cheaper_order(channels, nodes, states, positions) == order
    with torch.device("meta"):
        assert GloreUnit3d(channels).resolve_order(positions) == order
    costs = {o: multiply_adds(channels, nodes, states, positions, o) for o in ("published", order)}
    assert costs[order] <= costs["published"]


def test_many_nodes_and_few_states_stay_published():
    assert cheaper_order(64, 64, 8, 10**6) == "published"


@OTHERS
def test_replaced_layers_are_called(order):
    unit = GloreUnit3d(8, order=order)
    assert unit.resolve_order(1) == order
    unit.conv_state = nn.Sequential(unit.conv_state)
    assert unit.resolve_order(1) == "published"


def test_bad_order_is_named():
    with pytest.raises(
        ValueError, match="one of auto, published, reassociated, lean, triton, got 'reassociate'"
    ):
        GloreUnit(8, order="reassociate")


def per_clip_gradients(unit, x):
    return torch.func.vmap(torch.func.grad(lambda clip: unit(clip[None]).square().sum()))(x)


def ensemble(unit, x):
    """The unit with three sets of weights at once, of which the input's gradient is taken."""
    state = {name: torch.stack([p, -p, p + 1]) for name, p in unit.named_parameters()}

    def gradient(state):
        return torch.func.grad(
            lambda x: torch.func.functional_call(unit, state, (x,)).square().sum()
        )(x)

    return torch.func.vmap(gradient)(state)


def forward_mode(unit, x):
    with torch.autograd.forward_ad.dual_level():
        y = unit(torch.autograd.forward_ad.make_dual(x, torch.cos(x)))
        return torch.autograd.forward_ad.unpack_dual(y).tangent


def batched_gradients(unit, x):
    x = x.detach().requires_grad_()
    y = unit(x)
    directions = torch.stack([torch.cos(y.detach()), torch.sin(y.detach())])
    inputs = (x, *unit.parameters())
    gradients = torch.autograd.grad(y, inputs, directions, is_grads_batched=True)
    return torch.cat([gradient.flatten() for gradient in gradients])


TRANSFORMS = {
    "grad": lambda unit, x: torch.func.grad(lambda x: unit(x).square().sum())(x),
    "jvp": lambda unit, x: torch.func.jvp(unit, (x,), (torch.cos(x),))[1],
    "vjp": lambda unit, x: torch.func.vjp(unit, x)[1](torch.cos(x))[0],
    "vmap": lambda unit, x: torch.func.vmap(unit)(x[:, None]),
    "vmap of grad": per_clip_gradients,
    "hessian": lambda unit, x: torch.func.hessian(lambda s: unit(x * s).sum())(x.mean()),
    "stacked states": ensemble,
    "forward mode": forward_mode,
    "batched gradients": batched_gradients,
}


@OTHERS
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=[*TRANSFORMS])
@pytest.mark.parametrize("channels_last", [False, True], ids=["channels first", "channels last"])
def test_transforms_of_torch(transform, channels_last, order):
    published, unit = (u.eval() for u in two_orders(order=order))
    x = torch.randn(2, 6, 2, 3, 4, dtype=torch.float64)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    expected = transform(published, x)
    torch.testing.assert_close(transform(unit, x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_an_empty_batch(order, training):
    unit = GloreUnit3d(6, order=order).train(training)
    before = {name: buffer.clone() for name, buffer in unit.named_buffers()}
    x = torch.zeros(0, 6, 2, 3, 4, requires_grad=True)
    y = unit(x)
    y.sum().backward()
    assert y.shape == x.grad.shape == x.shape
    assert torch.equal(unit.blocker.running_mean, before["blocker.running_mean"])
    assert torch.equal(unit.blocker.running_var, before["blocker.running_var"])


@pytest.mark.parametrize("order", ["auto", "published", "reassociated", "lean"])
def test_no_positions_are_named(order):
    with pytest.raises(ValueError, match=r"1 position or more, got shape \(2, 6, 0, 3, 4\)"):
        GloreUnit3d(6, order=order)(torch.zeros(2, 6, 0, 3, 4))


@pytest.mark.filterwarnings(
    "ignore"
)  # the tracer remarks on sizes; newer torch calls it deprecated
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
@pytest.mark.parametrize("normalize", [True, False], ids=["normalized", "sums"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_traced_at_another_size(order, normalize, training):
    unit = two_orders(normalize=normalize, order=order)[1].train(training)
    traced = torch.jit.trace(unit, torch.randn(2, 6, 2, 3, 4).double(), check_trace=False)
    x = torch.randn(3, 6, 5, 4, 2, dtype=torch.float64)
    torch.testing.assert_close(traced(x), unit(x), rtol=1e-12, atol=1e-12)


def saved_shapes(unit, x):
    shapes = {}
    parameters = {p.untyped_storage().data_ptr() for p in unit.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            shapes[storage.data_ptr()] = (storage.nbytes(), tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        kept = unit(x.requires_grad_())
    del kept
    return [shape for _, shape in shapes.values()], sum(size for size, _ in shapes.values())


@OTHERS
@pytest.mark.parametrize(("channels", "positions"), [(64, (4, 8, 8)), (128, (4, 6, 6))])
def test_only_input_and_nodes_are_saved_over_positions(channels, positions, order):
    published, unit = two_orders(sizes=(channels,), dtype=torch.float32, order=order)
    x = torch.randn(8, channels, *positions)
    length = x[0, 0].numel()
    shapes, size = saved_shapes(unit, x)
    over_positions = [shape for shape in shapes if length in shape]
    assert sorted(over_positions) == [(8, channels // 4, length), (8, channels, length)]
    assert size < 0.75 * saved_shapes(published, x)[1]


class Copies(TorchDispatchMode):
    """Notes the sizes of tensors that are copied into another layout."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket in (torch.ops.aten.clone, torch.ops.aten.copy_):
            self.sizes.append(args[0].numel())
        return func(*args, **(kwargs or {}))


@OTHERS
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dim", [2, 3])
def test_channels_last_stays_without_copies(dim, training, order):
    unit = GloreUnit(16, dimension=dim, order=order).train(training)
    x = torch.randn(2, 16, *(4, 5, 6)[:dim]).contiguous(memory_format=LAST[dim + 2])
    with Copies() as copies:
        y = unit(x.requires_grad_())
        grad = torch.autograd.grad(y, x, torch.ones_like(y))[0]
    assert y.is_contiguous(memory_format=LAST[dim + 2])
    assert grad.is_contiguous(memory_format=LAST[dim + 2])
    assert all(size < x[:, :4].numel() for size in copies.sizes)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["auto", "lean"])
@pytest.mark.parametrize("training", [True, False])
def test_compiled_once_for_all_clip_lengths(training, order):
    torch._dynamo.reset()
    _, unit = two_orders(sizes=(8,), dtype=torch.float32)
    nn.init.zeros_(unit.gcn.conv1.bias)  # two nodes: with any other they may be silent
    unit.order = order
    unit.train(training)
    eager = copy.deepcopy(unit)
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(unit, fullgraph=True, backend=counter)
    counts = []
    for frames in (2, 3, 4, 5, 6):
        x = torch.randn(2, 8, frames, 5, 5)
        weights = torch.randn_like(x)
        for got, wanted in zip(
            output_and_gradients(compiled, x, weights),
            output_and_gradients(eager, x, weights),
            strict=True,
        ):
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
        counts.append(counter.frame_count)
        assert relative(eager(x), x) > 0.1
    assert counts == [1, 2, 2, 2, 2]  # the first static, the second for any length
    torch._dynamo.reset()


@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_shapes_on_the_meta_device(order):
    unit = GloreUnit3d(8, order=order).to("meta")
    x = torch.empty(2, 8, 4, 5, 5, device="meta")
    assert unit(x).shape == x.shape


@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
@pytest.mark.parametrize("normalize", [True, False])
def test_exported_for_any_clip_length(normalize, order):
    _, unit = two_orders(sizes=(8,), normalize=normalize, dtype=torch.float32, order=order)
    unit.eval()
    frames = torch.export.Dim("frames", min=2, max=64)
    with torch.no_grad():
        program = torch.export.export(
            unit, (torch.randn(2, 8, 4, 5, 5),), dynamic_shapes=({2: frames},)
        )
    x = torch.randn(2, 8, 7, 5, 5)
    torch.testing.assert_close(program.module()(x), unit(x))
