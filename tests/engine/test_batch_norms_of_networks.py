"""Batch norms of networks that other packages build, converted to other kinds."""

import copy

import pytest
import torch
import torchvision
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.engine.batch_norms import convert_batch_norms
from glore_video.errors import UsageError
from glore_video.models import build_segmentation
from glore_video.models.units.sub_batch_norm import SubBatchNorm


@pytest.mark.parametrize("name", ["densenet121", "dpn68", "resnet18"])
def test_synchronised_norms_keep_the_activations_of_timm(name):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    model = timm.create_model(name, num_classes=3).eval()
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = model(picture)
        after = convert_batch_norms(model, "sync_batchnorm")(picture)
    assert torch.equal(before, after)


def test_synchronised_norms_of_a_segmentation_network():
    pytest.importorskip("timm", reason="timm is not installed")
    model = build_segmentation("timm/mobilenetv3_small_050", num_classes=3, form="glore").eval()
    picture = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        before = model(picture)
        model = convert_batch_norms(model, "sync_batchnorm")
        assert torch.equal(model(picture), before)
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)
    assert isinstance(model.head.first.norm, nn.SyncBatchNorm)
    assert isinstance(model.head.glore.blocker, nn.SyncBatchNorm)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4)), (4, 3, 9)),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), (4, 3)),
        (lambda: torchvision.models.resnet18(num_classes=2), (4, 3, 32, 32)),
        (lambda: torchvision.models.video.r3d_18(num_classes=2), (4, 3, 2, 16, 16)),
    ],
    ids=["1D", "vectors", "2D", "3D"],
)
def test_parts_of_a_batch_are_normalised_by_themselves_in_every_network(make, shape):
    """As two networks see two halves, of which each has batch norms of its own."""
    torch.manual_seed(0)
    model = make().double().train()
    batch = torch.randn(*shape, dtype=torch.float64)
    halves = [copy.deepcopy(model)(half) for half in batch.chunk(2)]
    split = convert_batch_norms(model, "sub_batchnorm", num_splits=2)
    assert any(isinstance(module, SubBatchNorm) for module in split.modules())
    torch.testing.assert_close(split(batch), torch.cat(halves))


def test_norms_that_can_not_be_split_are_named():
    timm = pytest.importorskip("timm", reason="timm is not installed")
    model = timm.create_model("densenet121", num_classes=3)
    with pytest.raises(UsageError, match=r"features\.norm0 is a BatchNormAct2d"):
        convert_batch_norms(model, "sub_batchnorm", num_splits=2)


@pytest.mark.parametrize("kind", ["sub_batchnorm", "sync_batchnorm"])
def test_network_without_batch_norms(kind):
    with pytest.raises(UsageError, match=rf"BN\.NORM_TYPE = {kind}, but the network has no batch"):
        convert_batch_norms(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), kind)
