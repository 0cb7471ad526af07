"""Units that a network never runs are named; those that run are watched no longer, whatever the road."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import fx, nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils.checkpoint import checkpoint

from glore_video.errors import UsageError
from glore_video.models import glore_units, insert_glore
from glore_video.models.deployment.complexity import count_complexity
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.units.idle_units import idle_units, refuse_idle_units


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(x).relu()


class Host(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block()
        self.second = nn.Sequential(Block(), nn.ReLU())

    def forward(self, x):
        return self.second(self.first(x))


class CallsForward(Host):
    def forward(self, x):
        return self.second(self.first.forward(x))


class ChecksForward(Host):
    def forward(self, x):
        return self.second(checkpoint(self.first.forward, x, use_reentrant=False))


class PicksLayers(Host):
    def forward(self, x):
        return self.second[1](self.second[0](self.first(x)))


def traced():
    return fx.symbolic_trace(Host())


AFTER = ["first", "second"]
IDLE = [
    pytest.param(CallsForward, ["first.glore"], id="forward is called"),
    pytest.param(ChecksForward, ["first.glore"], id="forward is checkpointed"),
    pytest.param(PicksLayers, ["second.glore"], id="layers are picked"),
    pytest.param(traced, ["first.glore", "second.glore"], id="graph module"),
]


def hooks(model):
    return sum(len(m._forward_hooks) for m in model.modules())


@pytest.mark.parametrize(("build", "idle"), IDLE)
def test_idle_units_are_named_at_each_pass(build, idle):
    model = insert_glore(build(), after=AFTER)
    x = torch.randn(2, 4, 4, 5)
    for _ in range(2):
        with pytest.warns(
            UserWarning, match=f"did not run when the network ran: {', '.join(idle)}. U"
        ):
            model(x)
    assert idle_units(model) == idle
    with pytest.raises(UsageError, match=idle[-1]):
        refuse_idle_units(model)


def test_units_that_run_are_watched_no_longer():
    model = insert_glore(Host(), after=AFTER)
    insert_glore(model, after=["second.0"])
    assert idle_units(model) == ["first.glore", "second.0.glore", "second.glore"]
    model(torch.randn(2, 4, 4, 5))
    refuse_idle_units(model)
    assert idle_units(model) == []
    assert hooks(model) == 2  # those that run the units after first and second.0


def test_a_later_pass_may_run_them():
    model = insert_glore(CallsForward(), after=["first"])
    x = torch.randn(1, 4, 4, 5)
    with pytest.warns(UserWarning, match="first"):
        model(x)
    model.first(x)
    model(x)
    refuse_idle_units(model)
    assert hooks(model) == 1


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_copies_are_watched_for_themselves(twin):
    model = insert_glore(CallsForward(), after=AFTER)
    other = twin(model)
    with pytest.warns(UserWarning, match="did not run when the network ran: first.glore. U"):
        other(torch.randn(1, 4, 4, 5))
    assert idle_units(model) == ["first.glore", "second.glore"]


def test_counting_operations_hides_nothing():
    model = insert_glore(CallsForward(), after=AFTER)
    count_complexity(model, (4, 8, 8))
    with pytest.warns(UserWarning, match="first"):
        model(torch.randn(1, 4, 8, 8))


@pytest.mark.parametrize("whole", [True, False], ids=["network", "block"])
def test_compiled_units_count_as_run(whole):
    torch._dynamo.reset()
    model = insert_glore(Host(), after=AFTER).eval()
    counter = CompileCounterWithBackend("eager")
    compiled = torch.compile(model, fullgraph=True, backend=counter)
    if not whole:
        for name in ("first", "second"):
            block = torch.compile(model.get_submodule(name), fullgraph=True, backend=counter)
            model.set_submodule(name, block)
        compiled = model
    x = torch.randn(2, 4, 4, 5)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("error", message="units that did not run")
        compiled(x)
        compilations = counter.frame_count
        compiled(x)
        assert idle_units(model) == []
        refuse_idle_units(model)
        compiled(x)
        model(x)  # as it is written, as validation may be
        compiled(x)
    assert counter.frame_count == compilations
    torch._dynamo.reset()


def test_a_compiled_network_with_an_idle_unit_is_refused():
    torch._dynamo.reset()
    model = insert_glore(CallsForward(), after=AFTER)
    torch.compile(model, fullgraph=True, backend="eager")(torch.randn(2, 4, 4, 5))
    with pytest.raises(UsageError, match="did not run when the network ran: first.glore. U"):
        refuse_idle_units(model)
    torch._dynamo.reset()


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "non-strict"])
def test_export_leaves_the_watch_as_it_is(strict):
    model = insert_glore(Host(), after=AFTER).eval()
    x = torch.randn(2, 4, 4, 5)
    with torch.no_grad():
        program = torch.export.export(model, (x,), strict=strict)
        torch.testing.assert_close(program.module()(x), model(x))


def test_traced_by_jit():
    model = insert_glore(Host(), after=AFTER).eval()
    twin = copy.deepcopy(model)
    x = torch.randn(2, 4, 4, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = torch.jit.trace(twin, x)
    torch.testing.assert_close(trace(x), model(x))


def test_our_networks_run_their_units():
    model = insert_glore(TinyResNet3d(3, widths=(4, 8, 8)), after=["stage1.0", "stage2"])
    model(torch.randn(1, 3, 2, 8, 8))
    assert idle_units(model) == []
    assert len(glore_units(model)) == 2
