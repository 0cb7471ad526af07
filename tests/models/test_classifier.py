"""Logits are float32 under autocast, and nothing else of the last layer changes."""

import copy

import pytest
import torch
from torch import fx, nn

from glore_video.models import build_network
from glore_video.models.networks.classifier import Classifier
from glore_video.models.networks.heads import head_path


def layers():
    torch.manual_seed(0)
    plain, ours = nn.Linear(16, 5), Classifier(16, 5)
    ours.load_state_dict(plain.state_dict())
    return plain, ours, torch.randn(3, 16)


@pytest.mark.parametrize("arch", ["tiny", "preact", "slow", "slowfast", "c2d"])
def test_every_network_ends_with_it(arch):
    with torch.device("meta"):
        model = build_network(arch, num_classes=3)
    assert type(model.get_submodule(head_path(model))) is Classifier


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_logits_under_autocast_are_those_of_float32(dtype):
    plain, ours, x = layers()
    features = x.to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        logits = ours(features)
        assert plain(features).dtype == dtype
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, plain(features.float()))
    logits.sum().backward()
    assert ours.weight.grad.dtype == torch.float32


def test_without_autocast_it_is_a_linear_layer():
    plain, ours, x = layers()
    assert torch.equal(ours(x), plain(x))
    half, x = copy.deepcopy(ours).bfloat16(), x.bfloat16()
    assert half(x).dtype == torch.bfloat16
    with pytest.raises(RuntimeError, match="dtype"):
        ours(x)


def test_networks_can_still_be_traced():
    model = build_network("tiny", num_classes=3).eval()
    clip = torch.randn(1, 3, 2, 16, 16)
    assert torch.equal(fx.symbolic_trace(model)(clip), model(clip))
    exported = torch.export.export(model, (clip,)).module()
    torch.testing.assert_close(exported(clip), model(clip))


@pytest.mark.slow
def test_it_compiles_as_one_graph():
    model = build_network("tiny", num_classes=3).eval()
    clip = torch.randn(1, 3, 2, 16, 16)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits = torch.compile(model, fullgraph=True, backend="aot_eager")(clip)
    assert logits.dtype == torch.float32
