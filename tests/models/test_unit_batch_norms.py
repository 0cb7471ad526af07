"""GloRe units whose last batch norm is split, synchronised over processes, or of another kind."""

import copy

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from glore_video.models.units.glore_unit import GloreUnit2d, GloreUnit3d
from glore_video.models.units.sub_batch_norm import SubBatchNorm3d

CHANNELS = 6


def random_unit(*, normalize=True, kind=GloreUnit3d, sizes=(CHANNELS, 3, 4)):
    torch.manual_seed(0)
    unit = kind(*sizes, normalize=normalize).double()
    for name, parameter in unit.named_parameters():
        if name.startswith("blocker") or name.endswith("bias"):
            nn.init.normal_(parameter)
    nn.init.normal_(unit.blocker.running_mean)
    nn.init.uniform_(unit.blocker.running_var, 0.1, 1.0)
    return unit


def in_order(unit, order):
    unit = copy.deepcopy(unit)
    unit.order = order
    return unit


def results(unit, x, weights):
    x = x.detach().requires_grad_()
    y = unit(x)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), (x, *unit.parameters()))]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
def test_split_norm_is_folded(normalize, training, channels_last, monkeypatch):
    unit = random_unit(normalize=normalize)
    unit.blocker.__class__, unit.blocker.num_splits = SubBatchNorm3d, 3
    published, unit = (in_order(unit.train(training), o) for o in ("published", "reassociated"))
    x = torch.randn(6, CHANNELS, 2, 3, 4, dtype=torch.float64)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    weights = torch.randn_like(x)
    expected = results(published, x, weights)
    monkeypatch.setattr(SubBatchNorm3d, "forward", lambda *_: pytest.fail("called, not folded"))
    for got, wanted in zip(results(unit, x, weights), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    for name, buffer in published.named_buffers():
        torch.testing.assert_close(unit.get_buffer(name), buffer, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_split_norms_that_count_no_batches_are_as_torchs(momentum):
    x = torch.randn(6, CHANNELS, 2, 3, 4, dtype=torch.float64)
    for order in ("published", "reassociated"):
        plain, split = (in_order(random_unit(), order) for _ in range(2))
        split.blocker.__class__, split.blocker.num_splits = SubBatchNorm3d, 3
        for unit in (plain, split):
            unit.blocker.num_batches_tracked, unit.blocker.momentum = None, momentum
            unit(x)
        torch.testing.assert_close(split.blocker.running_mean, plain.blocker.running_mean)
        torch.testing.assert_close(split.blocker.running_var, plain.blocker.running_var)


def test_a_batch_that_cannot_be_split_is_named():
    unit = in_order(random_unit(), "reassociated")
    unit.blocker.__class__, unit.blocker.num_splits = SubBatchNorm3d, 4
    with pytest.raises(ValueError, match="BN.NUM_SPLITS = 4 does not divide a batch of 6 clips"):
        unit(torch.zeros(6, CHANNELS, 1, 2, 2, dtype=torch.float64))


def test_synchronised_norm_alone_is_an_ordinary_one():
    published = in_order(random_unit(), "published")
    unit = nn.SyncBatchNorm.convert_sync_batchnorm(in_order(random_unit(), "reassociated"))
    assert type(unit.blocker) is nn.SyncBatchNorm
    x = torch.randn(3, CHANNELS, 2, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(unit(x), published(x))
    torch.testing.assert_close(unit.blocker.running_var, published.blocker.running_var)
    torch.testing.assert_close(unit.eval()(x), published.eval()(x))


def share_of_a_batch(rank, folder):
    """One of two processes: its clips through a unit with a synchronised norm."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    inputs = torch.load(folder / "inputs.pt", weights_only=True)
    unit = nn.SyncBatchNorm.convert_sync_batchnorm(in_order(random_unit(), "reassociated"))
    own = [slice(0, 3), slice(3, 5)][rank]  # unequal shares
    got = results(unit, inputs["x"][own], inputs["weights"][own])
    torch.save([got, dict(unit.named_buffers())], folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_share_their_statistics(tmp_path):
    x = torch.randn(5, CHANNELS, 2, 3, 4, dtype=torch.float64)
    weights = torch.randn_like(x)
    torch.save({"x": x, "weights": weights}, tmp_path / "inputs.pt")
    mp.spawn(share_of_a_batch, (tmp_path,), nprocs=2)
    whole = in_order(random_unit(), "published")
    expected = results(whole, x, weights)
    shares = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    (first, buffers), (second, others) = shares
    for index in (0, 1):  # output, gradient of the input
        got = torch.cat([first[index], second[index]])
        torch.testing.assert_close(got, expected[index], rtol=1e-11, atol=1e-11)
    for a, b, wanted in zip(first[2:], second[2:], expected[2:], strict=True):
        torch.testing.assert_close(a + b, wanted, rtol=1e-11, atol=1e-11)
    for name, buffer in whole.named_buffers():
        torch.testing.assert_close(buffers[name], buffer)
        torch.testing.assert_close(others[name], buffer)


@pytest.mark.parametrize(
    "blocker", [nn.GroupNorm(2, CHANNELS), nn.InstanceNorm2d(CHANNELS), nn.Identity()]
)
def test_another_layer_is_called(blocker):
    unit = random_unit(normalize=False, kind=GloreUnit2d)
    unit.blocker = blocker.double()
    published, unit = (in_order(unit.eval(), o) for o in ("published", "reassociated"))
    x = torch.randn(2, CHANNELS, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(unit(x), published(x))


def relative(got, expected):
    return ((got - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("blocker", ["split", "synchronised", "group"])
def test_what_grows_with_the_number_of_positions_fits_into_fp16(blocker):
    torch.manual_seed(0)
    unit = GloreUnit3d(16, normalize=False)
    if blocker == "group":
        unit.blocker = nn.GroupNorm(2, 16, eps=1e-4)
    elif blocker == "synchronised":
        unit = nn.SyncBatchNorm.convert_sync_batchnorm(unit)
    else:
        unit.blocker.__class__, unit.blocker.num_splits = SubBatchNorm3d, 2
    nn.init.ones_(unit.blocker.weight)
    x = 10 * torch.randn(2, 16, 32, 28, 28).abs()
    exact = copy.deepcopy(unit).double()(x.double())
    x = x.half().requires_grad_()
    with torch.autocast("cpu", dtype=torch.float16):
        y = unit(x)
    assert relative(y.double() - x, exact - x) < 0.02
    y.float().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in unit.parameters())
