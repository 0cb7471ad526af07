"""Batch norms of other kinds have the parameters of ordinary ones, and statistics of their own."""

import copy

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.engine.batch_norms import (
    convert_batch_norms,
    few_inputs_warning,
    freeze_affine,
    freeze_batch_norms,
)
from glore_video.engine.launch.processes import Process
from glore_video.engine.precise_batch_norms import take_precise_statistics
from glore_video.engine.protocols import Words
from glore_video.errors import UsageError
from glore_video.models.units.glore_unit import GloreUnit3d
from glore_video.models.units.sub_batch_norm import SubBatchNorm3d


def norm(channels=2):
    layer = nn.BatchNorm3d(channels)
    nn.init.uniform_(layer.weight)
    nn.init.uniform_(layer.bias)
    return layer


def test_parts_are_normalised_by_themselves():
    torch.manual_seed(0)
    plain, x = norm(), torch.randn(6, 2, 2, 3, 3) * 3 + 1
    split = convert_batch_norms(nn.Sequential(norm()), "sub_batchnorm", num_splits=3)
    assert isinstance(split[0], SubBatchNorm3d)
    split[0].load_state_dict(plain.state_dict())
    expected = []
    for part in x.split(2):
        mean = part.mean((0, 2, 3, 4), keepdim=True)
        variance = ((part - mean) ** 2).mean((0, 2, 3, 4), keepdim=True)
        shape = (1, 2, 1, 1, 1)
        expected.append(
            (part - mean) / (variance + 1e-5).sqrt() * plain.weight.view(shape)
            + plain.bias.view(shape)
        )
    torch.testing.assert_close(split(x), torch.cat(expected))
    plain(x)  # whose running statistics are those of the whole batch
    assert list(split[0].state_dict()) == list(plain.state_dict())
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(split[0].state_dict()[key], value)
    torch.testing.assert_close(split.eval()(x), plain.eval()(x))


def test_batch_that_can_not_be_split():
    layer = convert_batch_norms(nn.Sequential(norm()), "sub_batchnorm", num_splits=4)
    with pytest.raises(ValueError, match="BN.NUM_SPLITS = 4 does not divide a batch of 6 clips"):
        layer(torch.zeros(6, 2, 1, 2, 2))


def test_sync_batch_norm_keeps_names():
    model = nn.Sequential(norm(), nn.Sequential(norm()))
    names = list(model.state_dict())
    converted = convert_batch_norms(model, "sync_batchnorm")
    assert list(converted.state_dict()) == names
    assert type(converted[1][0]) is nn.SyncBatchNorm


def test_frozen_norms_keep_statistics_and_affine():
    model = nn.Sequential(norm(), nn.Dropout()).train()
    freeze_batch_norms(model)
    freeze_affine(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model(torch.randn(4, 2, 1, 2, 2))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model[1].training
    assert not any(p.requires_grad for p in model.parameters())


def network(order="reassociated"):
    """A unit among layers, none of whose parameters is zero or one."""
    torch.manual_seed(0)
    unit = GloreUnit3d(6, 3, 4, order=order)
    model = nn.Sequential(nn.Conv3d(3, 6, 1), norm(6), nn.ReLU(), unit, nn.Conv3d(6, 2, 1), norm())
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model


def clips_of(number, clips=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = [clips + 2 * (n % 2) for n in range(number)]  # batches are not all of one size
    return [3 * torch.randn(size, 3, 2, 4, 5, generator=generator) + 1 for size in sizes]


def statistics_of_all_values(model, batches):
    """Mean and variance of all that enters each norm, of a network that calls all its layers."""
    model = copy.deepcopy(model).double().train()
    entered = {}
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(
                lambda _, args, name=name: entered.setdefault(name, []).append(
                    args[0].transpose(0, 1).flatten(1)
                )
            )
        if isinstance(module, GloreUnit3d):
            module.order = "published"
    with torch.no_grad():
        for batch in batches:
            model(batch.double())
    values = {name: torch.cat(parts, 1) for name, parts in entered.items()}
    return {name: (v.mean(1), v.var(1, correction=0)) for name, v in values.items()}


def assert_statistics(model, expected):
    for name, (mean, variance) in expected.items():
        found = model.get_submodule(name)
        torch.testing.assert_close(found.running_mean.double(), mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.running_var.double(), variance, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", ["published", "reassociated", "auto"])
@pytest.mark.parametrize("kind", ["batchnorm", "sub_batchnorm", "sync_batchnorm"])
def test_precise_statistics_are_those_of_all_values(order, kind):
    model, batches = network(order), clips_of(3)
    if kind == "sync_batchnorm":  # torch's own runs on GPUs alone, a unit folds it anywhere
        if order == "published":
            pytest.skip("needs a GPU")
        model[3] = convert_batch_norms(model[3], kind)
    else:
        model = convert_batch_norms(model, kind, num_splits=2)
    expected = statistics_of_all_values(model, batches)
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    before = [(m.momentum, int(m.num_batches_tracked)) for m in norms]
    assert take_precise_statistics(model, iter(batches), 3) == []
    assert len(expected) == 3
    assert_statistics(model, expected)
    assert [(m.momentum, int(m.num_batches_tracked)) for m in norms] == before
    assert not any(module._forward_hooks for module in model.modules())


def test_precise_statistics_in_fp16_do_not_call_what_would_overflow():
    """Called layer by layer, a unit without normalisation exceeds fp16's range."""
    torch.manual_seed(0)
    model = nn.Sequential(GloreUnit3d(16, normalize=False))
    clips = [10 * torch.randn(2, 16, 32, 28, 28).abs()]
    expected = statistics_of_all_values(model, clips)
    assert expected["0.blocker"][0].abs().max() > torch.finfo(torch.float16).max
    with torch.autocast("cpu", dtype=torch.float16):
        take_precise_statistics(model, clips, 1)
    for found, wanted in zip(
        (model[0].blocker.running_mean, model[0].blocker.running_var),
        expected["0.blocker"],
        strict=True,
    ):
        assert (found - wanted).norm() < 0.02 * wanted.norm()


@pytest.mark.parametrize("order", ["published", "reassociated"])
def test_precise_statistics_as_fvcore_takes_them(order):
    """In people's own loops, too: a hook on a unit's norm has the unit call it."""
    precise_bn = pytest.importorskip("fvcore.nn.precise_bn")
    model, batches = network(order), clips_of(3)
    other = copy.deepcopy(model).train()
    precise_bn.update_bn_stats(other, iter(batches), 3)
    take_precise_statistics(model, iter(batches), 3)
    for name, buffer in other.named_buffers():
        if "tracked" not in name:
            torch.testing.assert_close(model.get_buffer(name), buffer, rtol=1e-4, atol=1e-5)


def test_precise_statistics_of_a_norm_that_saw_nothing_stay():
    model = network()
    model.unused = nn.Sequential(norm(3))
    model.forward = lambda x: nn.Sequential(*list(model)[:-1])(x)
    before = {name: buffer.clone() for name, buffer in model.unused.named_buffers()}
    assert take_precise_statistics(model, iter(clips_of(2)), 2) == ["unused.0"]
    assert all(torch.equal(before[n], buffer) for n, buffer in model.unused.named_buffers())


def test_precise_statistics_forget_what_was_not_finite():
    model, batches = network(), clips_of(2)
    expected = statistics_of_all_values(model, batches)
    for module in (model[1], model[3].blocker):
        module.running_mean.fill_(float("nan"))
        module.running_var.fill_(float("inf"))
    take_precise_statistics(model, iter(batches), 2)
    assert_statistics(model, expected)


def test_too_few_batches_for_precise_statistics():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(UsageError, match="only 2 of 3 batches hold a readable sample"):
        take_precise_statistics(model, iter(clips_of(2)), 3)
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(module._forward_hooks for module in model.modules())


def one_of_two(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    model = network()
    model[3] = convert_batch_norms(model[3], "sync_batchnorm")
    process = Process(rank, 2, torch.device("cpu"))
    take_precise_statistics(model, iter(clips_of(3, seed=rank)), 3, process)
    torch.save(model.state_dict(), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_precise_statistics_of_two_processes(tmp_path):
    mp.spawn(one_of_two, (tmp_path,), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first if "tracked" not in key)
    # Of the first norm: those behind it see what the ordinary ones before made of a half.
    convolution = network()[0].double()
    with torch.no_grad():
        batches = [batch.double() for rank in (0, 1) for batch in clips_of(3, seed=rank)]
        values = torch.cat([convolution(x).transpose(0, 1).flatten(1) for x in batches], 1)
    torch.testing.assert_close(first["1.running_mean"].double(), values.mean(1))
    torch.testing.assert_close(first["1.running_var"].double(), values.var(1, correction=0))


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({"inputs": 64, "world_size": 8}, None),
        ({"inputs": 32, "world_size": 8}, 4),
        ({"inputs": 32, "world_size": 8, "kind": "sync_batchnorm"}, None),
        ({"inputs": 64, "world_size": 4, "accumulation": 4}, 4),
        ({"inputs": 64, "world_size": 4, "kind": "sub_batchnorm", "num_splits": 8}, 2),
    ],
)
def test_warning_of_few_clips(settings, seen):
    defaults = {"accumulation": 1, "kind": "batchnorm", "num_splits": 1}
    line = few_inputs_warning(**defaults | settings, words=Words(input="clip"))
    assert line is None if seen is None else f"batch norm sees {seen} clips" in line
