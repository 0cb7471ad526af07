"""(n, m) units on Res3 and Res4: where they stand, in networks of every package."""

from importlib.util import find_spec

import pytest
import torch
import torchvision
from torch import nn

from glore_video.errors import UsageError
from glore_video.models import (
    TinyResNet3d,
    blocks_of_counts,
    build_network,
    create_model,
    glore_units,
    insert_glore,
    stage_blocks,
)
from glore_video.models.networks.stages import spread

NEEDS_TIMM = pytest.mark.skipif(not find_spec("timm"), reason="timm is not installed")


@pytest.mark.parametrize(
    ("units", "blocks", "places"),
    [
        # 1-based. The paper's ResNet-50, MindSpore's ResNet-101 and ResNet-200.
        (2, 4, [1, 3]),
        (3, 6, [1, 3, 5]),
        (3, 23, [3, 11, 19]),
        (2, 24, [12, 18]),
        (3, 36, [16, 24, 32]),
        # By the rule alone.
        (1, 2, [1]),
        (1, 4, [2]),
        (1, 6, [3]),
        (2, 6, [1, 4]),
        (3, 20, [3, 10, 16]),
        (3, 28, [4, 14, 23]),
        (5, 6, [1, 2, 4, 5, 6]),
        (3, 3, [1, 2, 3]),
        (0, 6, []),
    ],
)
def test_places_in_a_stage(units, blocks, places):
    assert [index + 1 for index in spread(units, blocks)] == places


def test_any_number_of_units_stands_after_as_many_blocks():
    for blocks in range(1, 40):
        for units in range(blocks + 1):
            places = spread(units, blocks)
            assert sorted({*places}) == places
            assert len(places) == units
            assert {*places} <= {*range(blocks)}


def meta(name, **options):
    try:
        with torch.device("meta"):
            return create_model(name, **options)
    except NotImplementedError:  # some of timm 1.0.3 read numbers while they are built
        return create_model(name, **options)


@pytest.mark.parametrize(
    ("name", "after"),
    [
        pytest.param(
            "timm/seresnet50", ["layer2.0", "layer2.2", "layer3.0", "layer3.2", "layer3.4"]
        ),
        pytest.param(
            "timm/resnetv2_50",
            [f"stages.{place}" for place in ("1.blocks.0", "1.blocks.2")]
            + [f"stages.2.blocks.{i}" for i in (0, 2, 4)],
        ),
        pytest.param("timm/regnety_008", ["s2.b1", "s2.b3", "s3.b1", "s3.b4", "s3.b6"]),
        pytest.param(
            "timm/dpn98",
            [f"features.conv{place}" for place in ("3_1", "3_4", "4_3", "4_10", "4_16")],
        ),
    ],
)
@NEEDS_TIMM
def test_places_in_networks_of_timm(name, after):
    assert blocks_of_counts(meta(name), (2, 3)) == after


def test_places_in_other_networks():
    with torch.device("meta"):
        fcn = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None)
        clips = torchvision.models.video.r3d_18()
    assert blocks_of_counts(fcn, (0, 3)) == [f"backbone.layer3.{i}" for i in (0, 2, 4)]
    assert blocks_of_counts(clips, (0, 1)) == ["layer3.0"]
    after = blocks_of_counts(meta("slowfast_r50"), (2, 3))
    assert [f"{path}.glore" for path in after] == list(glore_units(meta("glore_slowfast_r50")))
    assert blocks_of_counts(meta("preact_r50_8x8"), [1, 0]) == ["conv3.B02"]


@NEEDS_TIMM
def test_branches_of_a_high_resolution_network_are_no_stages():
    with pytest.raises(UsageError, match="stages of a HighResolutionNet are not known"):
        stage_blocks(meta("timm/hrnet_w18"))


def test_units_by_count_are_units_by_path():
    counted = insert_glore(torchvision.models.resnet18(), units=(1, 2))
    named = insert_glore(torchvision.models.resnet18(), after=["layer2.0", "layer3.0", "layer3.1"])
    assert list(counted.state_dict()) == list(named.state_dict())
    x = torch.randn(2, 3, 64, 64)
    assert counted(x).shape == (2, 1000)


def test_a_network_by_name_with_units_by_count():
    model = create_model("torchvision/resnet18", glore_units=(0, 1))
    assert [(path, u.channels) for path, u in glore_units(model).items()] == [
        ("layer3.0.glore", 256)
    ]
    assert glore_units(create_model("torchvision/resnet18", glore_units=(0, 0))) == {}
    found = glore_units(meta("slow_r50", num_classes=3, glore_units=(0, 3)))
    assert list(found) == [f"blocks.3.res_blocks.{i}.glore" for i in (0, 2, 4)]


@pytest.mark.parametrize(
    ("units", "millions"), [(None, 25.56), ((0, 1), 27.20), ((0, 3), 30.48), ((2, 3), 31.30)]
)
def test_parameters_of_the_papers_resnet50(units, millions):
    model = meta("torchvision/resnet50", glore_units=units)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ((0, 3), "3 units on Res4 of a ResNet, which has 2 blocks there"),
        ((3, 0), "3 units on Res3 of a ResNet"),
        ((1,), r"two numbers, units on Res3 and on Res4, as \(0, 3\), got \(1,\)"),
        ((1, -1), r"two numbers.*got \(1, -1\)"),
        ((True, 1), r"two numbers.*got \(True, 1\)"),
        ((0.5, 1), r"two numbers.*got \(0.5, 1\)"),
        ("12", "two numbers.*got '12'"),
        (3, "two numbers.*got 3"),
    ],
)
def test_wrong_counts(units, message):
    model = torchvision.models.resnet18()
    with pytest.raises(UsageError, match=message):
        insert_glore(model, units=units)
    assert glore_units(model) == {}


def test_wrong_networks_and_two_ways_at_once():
    with pytest.raises(UsageError, match="a TinyResNet3d has 2: name its blocks by path"):
        insert_glore(TinyResNet3d(2), units=(0, 1))
    with pytest.raises(UsageError, match="stages of a Sequential are not known; name its blocks"):
        insert_glore(nn.Sequential(nn.Conv2d(3, 8, 1)), units=(0, 1))
    with pytest.raises(UsageError, match="in after, or give units, .*: one of them"):
        insert_glore(TinyResNet3d(2), after=["stage1.0"], units=(0, 1))
    with pytest.raises(UsageError, match="in after, or give units, .*: one of them"):
        insert_glore(TinyResNet3d(2))
    with pytest.raises(UsageError, match="glore_after and glore_units exclude each other"):
        create_model("slow_r50", glore_after=["blocks.1"], glore_units=(0, 1))


def test_a_stage_with_a_unit_of_its_own_keeps_its_blocks():
    with torch.device("meta"):
        model = build_network("preact")
    before = stage_blocks(model)
    insert_glore(model, after=["conv3", "conv4.B01"])
    assert stage_blocks(model) == before


def test_options_of_units_of_a_network_by_name():
    options = {"nodes": 3, "form": "preactivated"}
    model = create_model("torchvision/resnet18", glore_units=(0, 1), glore_options=options)
    (unit,) = glore_units(model).values()
    assert (unit.nodes, unit.form, unit.normalize) == (3, "preactivated", False)
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(model.eval()(x), create_without_units(model)(x))
    with pytest.raises(UsageError, match="glore_options are of units that"):
        create_model("torchvision/resnet18", glore_options=options)


def create_without_units(model):
    plain = torchvision.models.resnet18().eval()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if ".glore." not in k})
    return plain
