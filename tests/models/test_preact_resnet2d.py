"""The paper's picture networks: layers, sizes, units, costs."""

import copy

import pytest
import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.models import (
    PreactResNet2d,
    count_complexity,
    create_model,
    fuse_for_inference,
    glore_units,
    insert_glore,
)


def meta(depth, units=(0, 0)):
    with torch.device("meta"):
        return create_model(f"preact_resnet{depth}_2d", glore_units=units)


@pytest.mark.parametrize(
    ("depth", "units", "millions"),
    [
        (50, (0, 0), 25.55),
        (50, (0, 1), 27.20),
        (50, (0, 3), 30.49),
        (50, (2, 3), 31.31),
        (101, (2, 3), 50.31),
        (200, (0, 3), 69.61),
        (200, (2, 3), 70.43),
    ],
)
def test_parameters(depth, units, millions):
    model = meta(depth, units)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == millions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "units", "gmacs"),
    [
        (50, (0, 0), 4.09),
        (50, (0, 1), 4.50),
        (50, (0, 3), 5.32),
        (50, (2, 3), 5.96),
        (101, (2, 3), 9.67),
        (200, (0, 3), 16.23),
        (200, (2, 3), 16.88),
    ],
)
def test_multiply_adds_in_the_published_order(depth, units, gmacs):
    model = create_model(f"preact_resnet{depth}_2d", glore_units=units)
    for unit in glore_units(model).values():
        unit.order = "published"
    assert count_complexity(model, (3, 224, 224)).gmacs == pytest.approx(gmacs, rel=0.01)


def test_units_are_those_of_the_paper():
    model = meta(50, (2, 3))
    found = glore_units(model)
    assert list(found) == [
        f"conv{s}.B0{b}.glore" for s, b in [(3, 1), (3, 3), (4, 1), (4, 3), (4, 5)]
    ]
    assert {(u.form, u.normalize) for u in found.values()} == {("preactivated", False)}
    assert [(u.channels, u.nodes, u.states) for u in found.values()] == (
        [(512, 128, 256)] * 2 + [(1024, 256, 512)] * 3
    )
    assert [path.split(".")[1] for path in glore_units(meta(200, (2, 3)))] == [
        "B12",
        "B18",
        "B16",
        "B24",
        "B32",
    ]
    with torch.device("meta"):
        other = insert_glore(PreactResNet2d(50), units=(0, 1), form="post", end="gamma")
    (unit,) = glore_units(other).values()
    assert (unit.form, unit.normalize) == ("post", True)


def test_shapes_and_strides():
    model = meta(50).eval()
    sizes = {}
    for name, module in model.named_children():
        module.register_forward_hook(
            lambda module, inputs, output, name=name: sizes.__setitem__(
                name, tuple(output.shape[1:])
            )
        )
    x = torch.zeros(2, 3, 224, 224, device="meta")
    assert model(x).shape == (2, 1000)
    assert sizes == {
        "conv1": (64, 56, 56),
        "conv2": (256, 56, 56),
        "conv3": (512, 28, 28),
        "conv4": (1024, 14, 14),
        "conv5": (2048, 7, 7),
        "tail": (2048, 7, 7),
        "globalpool": (2048, 1, 1),
        "dropout": (2048,),
        "classifier": (1000,),
    }
    for stage in (model.conv3, model.conv4, model.conv5):
        assert stage.B01.conv_m1.conv.stride == (1, 1)
        assert stage.B01.conv_m2.conv.stride == stage.B01.conv_w1.conv.stride == (2, 2)


def test_units_change_nothing_until_they_learn_and_fusing_changes_nothing():
    torch.manual_seed(0)
    model = create_model("preact_resnet50_2d", num_classes=7).double().eval()
    x = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    plain = model(x)
    assert plain.shape == (2, 7)
    insert_glore(model, units=(1, 1))
    assert torch.equal(model(x), plain)
    for unit in glore_units(model).values():
        nn.init.normal_(unit.conv_extend.conv.weight, std=0.1)
    expected = model(x)
    assert not torch.equal(expected, plain)
    torch.testing.assert_close(fuse_for_inference(model)(x), expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(copy.deepcopy(model)(x), expected)


def test_wrong_sizes():
    with pytest.raises(UsageError, match=r"depth must be one of \[50, 101, 200\], got 34"):
        PreactResNet2d(34)
    with pytest.raises(UsageError, match="num_classes must be at least 1, got 0"):
        create_model("preact_resnet50_2d", num_classes=0)
