"""A GloRe unit is its layers: whatever was done to one of them holds in every order and form."""

import pytest
import torch
from packaging.version import Version
from torch import nn
from torch.nn.modules import module as torch_modules
from torch.nn.utils import parametrizations, prune

from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.units.glore_unit import GloreUnit, GloreUnit2d
from glore_video.models.units.plain_layers import is_plain

CHANNELS, NODES, STATES = 6, 3, 4
LAYERS = ("conv_state", "conv_proj", "gcn.conv1", "gcn.conv2", "conv_extend")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The tensor attribute.*was assigned during export"),
]


def by_layers(unit, x):
    """The published computation by einsum, each layer called."""
    states, nodes = (layer(x).flatten(2) for layer in (unit.conv_state, unit.conv_proj))
    V = torch.einsum("bsl,bnl->bsn", states, nodes)
    V = V / states.shape[2] if unit.normalize else V
    y = torch.einsum("bsn,bnl->bsl", unit.gcn(V), nodes).unflatten(2, x.shape[2:])
    return x + unit.blocker(unit.conv_extend(y))


def double(module, inputs, output):
    return 2 * output


def half_inputs(module, inputs):
    return tuple(x / 2 for x in inputs)


def half_gradients(module, gradients, _):
    return tuple(None if g is None else g / 2 for g in gradients)


class Adapted:
    """The forward pass of one instance with a low-rank branch beside it, as LoRA patches have it."""

    def __init__(self, layer):
        self.layer = layer

    def __call__(self, x):
        return 1.5 * type(self.layer).forward(self.layer, x)


def patched(name):
    def change(unit):
        layer = unit.get_submodule(name)
        layer.forward = Adapted(layer)

    return change


def exchanged(name, build):
    return lambda unit: unit.set_submodule(name, build())


def hooked(name, register, hook):
    return lambda unit: getattr(unit.get_submodule(name), register)(hook)


def own(function, name):
    return lambda unit: function(unit.get_submodule(name))


def two_gcns(unit):
    unit.gcn = nn.Sequential(unit.gcn, nn.Conv1d(STATES, STATES, 1))


CHANGES = {
    **{f"{name}, output hook": hooked(name, "register_forward_hook", double) for name in LAYERS},
    **{f"{name}, own forward": patched(name) for name in (*LAYERS, "gcn", "gcn.relu", "blocker")},
    **{
        f"{name}, pruned": own(lambda layer: prune.random_unstructured(layer, "weight", 0.5), name)
        for name in LAYERS
    },
    "gcn, input hook": hooked("gcn", "register_forward_pre_hook", half_inputs),
    "relu, output hook": hooked("gcn.relu", "register_forward_hook", double),
    "blocker, output hook": hooked("blocker", "register_forward_hook", double),
    "blocker, input hook": hooked("blocker", "register_forward_pre_hook", half_inputs),
    "conv_proj, backward hook": hooked("conv_proj", "register_full_backward_hook", half_gradients),
    "conv_extend, old weight norm": own(nn.utils.weight_norm, "conv_extend"),
    "conv_state, weight norm": own(parametrizations.weight_norm, "conv_state"),
    "gcn.conv2, spectral norm": own(parametrizations.spectral_norm, "gcn.conv2"),
    "relu for gelu": exchanged("gcn.relu", nn.GELU),
    "relu for leaky relu": exchanged("gcn.relu", lambda: nn.LeakyReLU(0.3)),
    "relu for identity": exchanged("gcn.relu", nn.Identity),
    "conv1 without bias": exchanged("gcn.conv1", lambda: nn.Conv1d(NODES, NODES, 1, bias=False)),
    "conv2 with bias": exchanged("gcn.conv2", lambda: nn.Conv1d(STATES, STATES, 1)),
    "conv2 in groups": exchanged(
        "gcn.conv2", lambda: nn.Conv1d(STATES, STATES, 1, groups=2, bias=False)
    ),
    "conv1 wider": exchanged("gcn.conv1", lambda: nn.Conv1d(NODES, NODES, 3, padding=1)),
    "gcn in two": two_gcns,
    "conv_extend with bias": exchanged("conv_extend", lambda: nn.Conv2d(STATES, CHANNELS, 1)),
    "conv_extend with bias, no norm": lambda unit: (
        unit.set_submodule("conv_extend", nn.Conv2d(STATES, CHANNELS, 1)),
        unit.set_submodule("blocker", nn.Identity()),
    ),
    "no norm": exchanged("blocker", nn.Identity),
    "conv_extend to one channel": lambda unit: (
        unit.set_submodule("conv_extend", nn.Conv2d(STATES, 1, 1, bias=False)),
        unit.set_submodule("blocker", nn.BatchNorm2d(1)),
    ),
    "conv_extend 3 x 3": exchanged(
        "conv_extend", lambda: nn.Conv2d(STATES, CHANNELS, 3, padding=1, bias=False)
    ),
    "conv_extend in groups": exchanged(
        "conv_extend", lambda: nn.Conv2d(STATES, CHANNELS, 1, groups=2, bias=False)
    ),
    "conv_state 3 x 3": exchanged("conv_state", lambda: nn.Conv2d(CHANNELS, STATES, 3, padding=1)),
    "conv_state in groups": exchanged(
        "conv_state", lambda: nn.Conv2d(CHANNELS, STATES, 1, groups=2)
    ),
    "conv_state padded": exchanged(
        "conv_state", lambda: nn.Conv2d(CHANNELS, STATES, 1, padding="same")
    ),
    "conv_proj without bias": exchanged(
        "conv_proj", lambda: nn.Conv2d(CHANNELS, NODES, 1, bias=False)
    ),
    "norm for group norm": exchanged("blocker", lambda: nn.GroupNorm(2, CHANNELS)),
    "norm without weights": lambda unit: (
        unit.blocker.register_parameter("weight", None),
        unit.blocker.register_parameter("bias", None),
    ),
    "norm that keeps no statistics": lambda unit: setattr(
        unit.blocker, "track_running_stats", False
    ),
    "norm that counts no batches": lambda unit: setattr(unit.blocker, "num_batches_tracked", None),
    "averaging norm that counts no batches": lambda unit: (
        setattr(unit.blocker, "num_batches_tracked", None),
        setattr(unit.blocker, "momentum", None),
    ),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=[*CHANGES])
modes = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


def changed_unit(change, order="reassociated"):
    torch.manual_seed(0)
    unit = GloreUnit2d(CHANNELS, NODES, STATES, order=order)
    change(unit)
    for name, parameter in unit.named_parameters():
        if name.startswith("blocker") or name.endswith("bias"):
            nn.init.normal_(parameter)
    for name, buffer in unit.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer)
    return unit.double()


def clip():
    return torch.randn(2, CHANNELS, 4, 5, dtype=torch.float64)


def results(run, unit, x):
    x = x.detach().requires_grad_()
    y = run(unit, x)
    parameters = [p for p in unit.parameters() if p.requires_grad]
    return [y, *torch.autograd.grad(y.square().sum(), (x, *parameters))]


@modes
@changes
def test_in_the_reassociated_order(change, training):
    unit = changed_unit(change).train(training)
    twin, x = changed_unit(change).train(training), clip()  # what is pruned can't be copied
    for _ in range(2):  # pruning computes weights anew for each pass
        expected = results(by_layers, twin, x)
        for got, wanted in zip(results(GloreUnit.__call__, unit, x), expected, strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)
    for name, buffer in twin.named_buffers():
        torch.testing.assert_close(unit.get_buffer(name), buffer, rtol=1e-10, atol=1e-10)


@changes
def test_fused(change):
    unit, x = changed_unit(change).eval(), clip()
    with torch.no_grad():
        wanted = by_layers(unit, x)
        torch.testing.assert_close(fuse_for_inference(unit)(x), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@changes
def test_compiled(change):
    unit, x = changed_unit(change).eval(), clip()
    if unit.conv_proj._backward_hooks:
        pytest.skip("torch.compile refuses backward hooks in one graph")
    torch._dynamo.reset()
    with torch.no_grad():
        compiled = torch.compile(unit, backend="eager", fullgraph=True)(x)
        torch.testing.assert_close(compiled, by_layers(unit, x), rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@changes
def test_exported(change):
    unit, x = changed_unit(change).eval(), clip()
    with torch.no_grad():
        exported = torch.export.export(unit, (x,)).module()(x)
        torch.testing.assert_close(exported, by_layers(unit, x), rtol=1e-10, atol=1e-10)


def test_a_unit_as_it_was_made_is_reassociated_and_fused():
    unit = changed_unit(lambda unit: None).eval()
    assert unit.resolve_order(1) == "reassociated"
    fused = fuse_for_inference(unit)
    assert type(fused.gcn.conv2) is type(fused.blocker) is nn.Identity
    assert fused.resolve_order(1) == "reassociated"


def test_hooks_on_all_modules_run():
    unit, x, seen = changed_unit(lambda unit: None), clip(), []
    handle = torch_modules.register_module_forward_hook(lambda m, *_: seen.append(m))
    try:
        unit(x)
    finally:
        handle.remove()
    assert set(unit.modules()) == set(seen)
    assert unit.resolve_order(1) == "reassociated"


@pytest.mark.skipif(
    Version(torch.__version__) < Version("2.15"), reason="older torch does not notice new hooks"
)
def test_a_hook_that_comes_after_compilation():
    torch._dynamo.reset()
    unit, x = changed_unit(lambda unit: None).eval(), clip()
    compiled = torch.compile(unit, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), unit(x))
    plain = unit(x)
    handle = unit.conv_state.register_forward_hook(double)
    torch.testing.assert_close(compiled(x), by_layers(unit, x))
    assert not torch.allclose(compiled(x), plain)
    handle.remove()
    torch.testing.assert_close(compiled(x), plain)


def test_a_subclass_of_a_layer_is_not_plain():
    class Own(nn.ReLU):
        pass

    assert is_plain(nn.ReLU(), nn.ReLU)
    assert is_plain(nn.ReLU(), nn.GELU, nn.ReLU)
    assert not is_plain(Own(), nn.ReLU)


def test_a_tied_weight_survives_fusing():
    """`conv_extend` is changed by fusing; who shares its weight keeps the old one."""
    x = clip()
    pair = nn.Sequential(*(changed_unit(lambda unit: None) for _ in range(2))).eval()
    for unit in pair:
        unit.blocker = nn.GroupNorm(2, CHANNELS).double()
    pair[1].conv_extend.weight = pair[0].conv_extend.weight
    torch.testing.assert_close(fuse_for_inference(pair)(x), pair(x), rtol=1e-10, atol=1e-10)
