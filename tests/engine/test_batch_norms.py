"""Batch norms of other kinds have the parameters of ordinary ones, and statistics of their own."""

import pytest
import torch
from torch import nn

from glore_video.engine.batch_norms import (
    convert_batch_norms,
    few_clips_warning,
    freeze_affine,
    freeze_batch_norms,
    take_precise_statistics,
)
from glore_video.models.sub_batch_norm import SubBatchNorm3d


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


def test_precise_statistics_are_means_over_batches():
    torch.manual_seed(0)
    model, batches = nn.Sequential(norm()), [torch.randn(5, 2, 1, 2, 2) for _ in range(3)]
    take_precise_statistics(model, iter(batches), 3)
    mean = torch.stack([b.mean((0, 2, 3, 4)) for b in batches]).mean(0)
    torch.testing.assert_close(model[0].running_mean, mean)


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({"clips": 64, "world_size": 8}, None),
        ({"clips": 32, "world_size": 8}, 4),
        ({"clips": 32, "world_size": 8, "kind": "sync_batchnorm"}, None),
        ({"clips": 64, "world_size": 4, "accumulation": 4}, 4),
        ({"clips": 64, "world_size": 4, "kind": "sub_batchnorm", "num_splits": 8}, 2),
    ],
)
def test_warning_of_few_clips(settings, seen):
    line = few_clips_warning(**{"accumulation": 1, "kind": "batchnorm", "num_splits": 1} | settings)
    assert line is None if seen is None else f"batch norm sees {seen} clips" in line
