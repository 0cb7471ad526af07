"""The module that is first not finite is named."""

import pytest
import torch
from torch import nn

from glore_video.engine.divergence import first_non_finite
from glore_video.models.units.glore_unit import GloreUnit1d


class BadGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 0


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), nn.Linear(2, 2)
    )


def found(model, factor=1.0):
    x = torch.ones(3, 2)
    return first_non_finite(model, (model(x).square().sum() * factor for _ in range(2)))


@pytest.mark.parametrize(
    ("order", "named"),
    [("reassociated", "0 (GloreUnit1d)"), ("published", "0.conv_proj (Conv1d)")],
)
def test_a_unit_that_does_not_call_its_layers_is_named_as_a_whole(order, named):
    model = nn.Sequential(GloreUnit1d(4, order=order))
    watched = []
    nn.init.constant_(model[0].conv_proj.bias, 3e38)
    nn.init.constant_(model[0].conv_proj.weight, 3e38)

    def losses():
        watched.extend(layer for layer in model[0].children() if layer._forward_hooks)
        yield model(torch.ones(2, 4, 5)).sum()

    assert first_non_finite(model, losses()).startswith(f"the output of {named}: ")
    assert bool(watched) == (order == "published")


def test_all_is_finite():
    model = network()
    assert found(model) is None
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_output():
    model = network()
    model[1][0].register_forward_hook(
        lambda module, args, out: out.index_fill(0, torch.tensor(1), float("nan"))
    )
    assert found(model).startswith(
        "the output of 1.0 (ReLU): 2 of 6 values are not finite, the others reach "
    )


def test_gradient():
    model = network()
    model[1].register_forward_pre_hook(lambda module, args: BadGradient.apply(args[0]))
    assert found(model).startswith("the gradient at the output of 0 (Linear): ")


def test_parameter():
    model = network()
    nn.init.constant_(model[2].bias, float("inf"))
    assert found(model) == "the parameter 2.bias itself: 2 of 2 values are not finite"


def test_loss():
    assert found(network(), float("inf")) == "the loss itself, inf, of finite logits"


def test_the_second_part_of_a_batch_counts_too():
    model = network()
    losses = iter([torch.ones((), requires_grad=True), torch.tensor(float("nan"))])
    assert first_non_finite(model, losses) == "the loss itself, nan, of finite logits"


def test_hooks_are_removed_after_an_error():
    model = network()
    with pytest.raises(RuntimeError, match="shapes"):
        first_non_finite(model, (model(torch.ones(1, 5)).sum() for _ in range(1)))
    assert not any(module._forward_hooks for module in model.modules())
