"""Blocks that are computed twice give what they gave, and count each batch once."""

import copy

import pytest
import torch
from torch import nn

from glore_video.engine.activation_checkpoints import checkpoint_activations
from glore_video.models import build_network, insert_glore, stage_blocks


def networks(order="auto"):
    torch.manual_seed(0)
    plain = build_network("tiny", num_classes=4, dropout_rate=0.3)
    insert_glore(plain, after=["stage1.0"], nodes=4, states=8)
    nn.init.constant_(plain.stage1[0].glore.blocker.weight, 0.5)
    plain.stage1[0].glore.order = order
    wrapped = copy.deepcopy(plain)
    paths = [path for stage in stage_blocks(wrapped) for blocks in stage for path in blocks]
    return plain, checkpoint_activations(wrapped, paths)


def step(model):
    torch.manual_seed(1)
    x = torch.randn(4, 3, 4, 32, 32)
    saved = 0

    def pack(tensor):
        nonlocal saved
        saved += tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = model.train()(x).logsumexp(1).sum()
    loss.backward()
    return saved, [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_gradients_and_statistics_are_the_same(order):
    plain, wrapped = networks(order)
    (all_saved, expected), (saved, gradients) = step(plain), step(wrapped)
    assert saved < 0.7 * all_saved
    assert all(torch.equal(a, b) for a, b in zip(expected, gradients, strict=True))
    after = wrapped.state_dict()
    assert list(after) == list(plain.state_dict())
    assert all(torch.equal(after[key], value) for key, value in plain.state_dict().items())
    assert int(after["stage1.0.glore.blocker.num_batches_tracked"]) == 1


def test_weights_load_and_copies_work():
    plain, wrapped = networks()
    step(plain)
    wrapped.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 4, 32, 32)
    expected = plain.eval()(x)
    torch.testing.assert_close(copy.deepcopy(wrapped).eval()(x), expected)
