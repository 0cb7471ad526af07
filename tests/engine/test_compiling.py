"""torch.compile of networks and of units: how many graphs, the same results, what stays as it was."""

import copy
import itertools
import pickle
from collections import Counter

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from glore_video.engine.activation_checkpoints import checkpoint_activations
from glore_video.engine.compiling import Compiling
from glore_video.engine.precise_batch_norms import take_precise_statistics
from glore_video.errors import UsageError
from glore_video.models import insert_glore, insert_nonlocal
from glore_video.models.networks.inserted_units import inserted_units
from glore_video.models.units.as_written import as_written
from glore_video.models.units.glore_unit import GloreUnit3d


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    limit = torch._dynamo.config.recompile_limit
    yield
    torch._dynamo.config.recompile_limit = limit
    torch._dynamo.reset()


class Block(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.conv = nn.Conv3d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm3d(width)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Net(nn.Module):
    """Two blocks of one width and one of another, a unit after each."""

    def __init__(self, insert=insert_glore):
        super().__init__()
        self.blocks = nn.Sequential(Block(3, 8), Block(8, 8), Block(8, 12))
        self.head = nn.Linear(12, 5)
        insert(self, after=["blocks.*"])
        for parameter in self.parameters():
            if not parameter.any():
                nn.init.constant_(parameter, 0.5)

    def forward(self, clips):
        return self.head(self.blocks(clips).mean((2, 3, 4)))


def compiling(what, backend="eager"):
    """And what counts the graphs."""
    counter = CompileCounterWithBackend(backend)
    units = lambda network: inserted_units(network).values()  # noqa: E731
    return Compiling(what, backend=counter, units=units), counter


def clips(batch, frames=4):
    return torch.randn(batch, 3, frames, 6, 7)


def gradients(network, run, x):
    """Of all parameters, and the output."""
    network.zero_grad()
    y = run(x)
    y.square().sum().backward()
    return [y.detach(), *(p.grad.clone() for p in network.parameters())]


def test_nothing_is_the_network_itself():
    network = Net()
    assert Compiling().for_training(network, batch_size=3) is network
    assert Compiling().for_evaluation(network) is network


# Sizes that are equal by chance, too, which torch takes for one.
FEW = [(7, 7), (32, 4), (2, 6), (1, 4), (7, 16), (1, 8)]
ALL = list(itertools.product([1, 2, 7, 32], [4, 8, 16, 32]))


@pytest.mark.parametrize(
    "shapes",
    [
        FEW,
        pytest.param(ALL[::-1], marks=pytest.mark.slow),
        pytest.param(sorted(ALL, key=lambda shape: (-shape[1], -shape[0])), marks=pytest.mark.slow),
    ],
    ids=["few", "all", "by frames"],
)
@pytest.mark.parametrize(
    "training",
    [pytest.param(True, marks=pytest.mark.slow), False],
    ids=["training", "evaluation"],
)
def test_two_graphs_at_most_of_a_network(shapes, training):
    """Over all numbers of inputs and frames, whatever comes first but one input alone."""
    compile_, counter = compiling("all")
    network = Net().train(training)
    run = (
        compile_.for_training(network, batch_size=7)
        if training
        else compile_.for_evaluation(network)
    )
    with torch.no_grad():
        for shape in shapes:
            x = clips(*shape)
            torch.testing.assert_close(run(x), copy.deepcopy(network)(x), rtol=1e-4, atol=1e-5)
    assert 1 <= counter.frame_count <= 2


@pytest.mark.parametrize("training", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "insert", [insert_glore, pytest.param(insert_nonlocal, marks=pytest.mark.slow)]
)
def test_two_graphs_at_most_of_units_of_a_size(insert, training):
    compile_, counter = compiling("units")
    network = Net(insert).train(training)
    for unit in inserted_units(network).values():
        unit.order = "lean"
    run = compile_.for_training(network, batch_size=7)
    assert run is network
    with torch.no_grad():
        for shape in FEW:
            run(clips(*shape))
    # Units of two sizes; of non-local blocks' convolutions torch has two kinds on CPUs, from 16 inputs on.
    assert counter.frame_count <= (4 if insert is insert_glore else 6)


def test_the_look_before_the_first_pass_leaves_no_trace():
    torch.manual_seed(0)
    network = Net()
    network.head = nn.Sequential(nn.Dropout(0.5), network.head)
    network.blocks[0].eval()
    modes = [module.training for module in network.modules()]
    compile_, counter = compiling("all")
    x, state, twin = clips(2), torch.get_rng_state(), copy.deepcopy(network)
    wanted = twin(x)
    torch.set_rng_state(state)
    torch.testing.assert_close(compile_.for_training(network, batch_size=2)(x), wanted)
    assert counter.frame_count == 1
    assert [module.training for module in network.modules()] == modes
    for name, buffer in twin.named_buffers():
        torch.testing.assert_close(network.state_dict()[name], buffer)


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("order", ["auto", "lean"])
def test_three_graphs_at_most_of_a_unit_that_is_compiled_plainly(order, training):
    """One input alone, static and then for any clip, and any number of inputs and frames."""
    unit = GloreUnit3d(16, order=order).train(training)
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(unit, backend=counter, fullgraph=True)
    for batch, frames in ALL:
        x = torch.randn(batch, 16, frames, 5, 6)
        with torch.set_grad_enabled(training):
            y = compiled(x)
            if training:
                y.sum().backward()
        torch.testing.assert_close(y, copy.deepcopy(unit)(x), rtol=1e-4, atol=1e-5)
    assert counter.frame_count <= 3


@pytest.mark.slow
def test_units_of_more_sizes_than_torch_compiles_by_itself():
    compile_, counter = compiling("units")
    host = nn.Sequential(*(nn.Conv2d(3 + n, 4 + n, 1) for n in range(9)))
    network = insert_glore(host, after=["*"], nodes=2, states=2).eval()
    run = compile_.for_evaluation(network)
    with torch.no_grad():
        run(torch.randn(2, 3, 4, 5))
    assert counter.frame_count == 9


@pytest.mark.slow
def test_one_alone_is_compiled_where_it_is_the_rule():
    compile_, counter = compiling("all")
    run = compile_.for_evaluation(Net().eval())
    with torch.no_grad():
        for _ in range(2):
            run(clips(1))
    assert counter.frame_count == 1


@pytest.mark.slow
@pytest.mark.parametrize("what", ["all", "units"])
@pytest.mark.parametrize(
    ("backend", "checkpoints"),
    [
        ("aot_eager", False),
        ("aot_eager", True),
        ("inductor", False),
    ],
)
def test_the_same_gradients(what, backend, checkpoints):
    torch.manual_seed(0)
    network = Net()
    plain = copy.deepcopy(network)
    if checkpoints:
        checkpoint_activations(network, ["blocks.1", "blocks.2"])
    compile_, counter = compiling(what, backend)
    run = compile_.for_training(network, batch_size=4)
    for _ in range(2):
        x = clips(4)
        for got, wanted in zip(gradients(network, run, x), gradients(plain, plain, x), strict=True):
            torch.testing.assert_close(got, wanted, rtol=2e-3, atol=2e-4)
    assert counter.frame_count >= 1
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(network.state_dict()[name], buffer, rtol=1e-3, atol=1e-5)


def test_compiled_units_leave_keys_and_copies_as_they_were():
    network = Net().eval()
    keys = list(network.state_dict())
    compile_, counter = compiling("units")
    run = compile_.for_evaluation(network)
    x = clips(2)
    with torch.no_grad():
        wanted = run(x)
        compile_.for_evaluation(network)(x)  # compiled once, however often it is asked for
        count = counter.frame_count
        assert count == 2
        for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            torch.testing.assert_close(twin(x), wanted, rtol=1e-4, atol=1e-5)
    assert list(network.state_dict()) == keys
    assert counter.frame_count == count


def test_hooks_run_as_written():
    network = Net().eval()
    compile_, _ = compiling("units")
    run = compile_.for_evaluation(network)
    seen = Counter()
    unit = network.blocks[1].glore
    unit.order = "published"
    with torch.no_grad():
        run(clips(2))
        for layer in (unit, unit.conv_proj):
            layer.register_forward_hook(lambda layer, args, output: seen.update([layer]))
        with as_written(network), as_written(network):
            run(clips(2))
        assert seen == {unit: 1, unit.conv_proj: 1}
        with as_written(network):
            pass
        run(clips(2))
    assert seen[unit.conv_proj] == 1, "compiled again"


@pytest.mark.slow
def test_precise_statistics_of_compiled_units():
    network = Net()
    plain = copy.deepcopy(network)
    compile_, counter = compiling("units")
    run = compile_.for_training(network, batch_size=4)
    x = [clips(4), clips(4)]
    with torch.no_grad():
        run(x[0])
    count = counter.frame_count
    assert take_precise_statistics(network, x, 2) == []
    take_precise_statistics(plain, x, 2)
    assert counter.frame_count == count
    for name, buffer in plain.named_buffers():
        if "num_batches" not in name:
            torch.testing.assert_close(network.state_dict()[name], buffer, rtol=1e-3, atol=1e-5)


def test_no_units_is_one_line():
    with pytest.raises(UsageError, match=r"^MODEL.COMPILE = units, .*MODEL.COMPILE all"):
        compiling("units")[0].for_training(nn.Conv2d(3, 4, 1), batch_size=2)


class InvalidCxxCompiler(RuntimeError):  # noqa: N818
    """As inductor has one."""


@pytest.mark.parametrize("what", ["all", "units"])
def test_no_compiler_is_one_line(what):
    def backend(graph, inputs):
        raise InvalidCxxCompiler("No working C++ compiler found")

    network = insert_glore(nn.Sequential(Block(3, 4)), after=["0"]).eval()
    network(clips(2))
    run = Compiling(what, backend=backend).for_evaluation(network)
    with pytest.raises(UsageError, match=rf"^MODEL.COMPILE = {what}: .* no working C\+\+"):
        run(clips(2))


def test_cuda_graphs(monkeypatch):
    """What they return is copied in evaluation, and each pass says that it begins."""
    begun = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(1))
    memory = torch.zeros(2, 5)

    def replayed(network, **options):
        assert options["mode"] == "reduce-overhead"
        return lambda x: (memory.fill_(x[0, 0]), memory)[1]

    monkeypatch.setattr(torch, "compile", replayed)
    compile_ = Compiling("all", "reduce-overhead")
    assert compile_.records_graphs
    run = compile_.for_evaluation(nn.Identity())
    first, second = run(torch.full((2, 5), 1.0)), run(torch.full((2, 5), 2.0))
    assert first.eq(1).all()
    assert second.eq(2).all()
    train = compile_.for_training(nn.Identity(), batch_size=2)
    assert train(torch.ones(2, 5)) is memory
    train(torch.ones(3, 5))  # of another number: as written
    assert len(begun) == 3
    assert not Compiling("all", "max-autotune-no-cudagraphs").records_graphs
    assert not Compiling("all").records_graphs
