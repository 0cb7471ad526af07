import functools

import pytest
import torch
from torch import nn

from glore_video.models.networks.heads import head_path
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.weights.files import StoredWeights
from glore_video.models.weights.foreign_keys import caffe2_to_slowfast, to_our_keys
from glore_video.models.zoo import create_model

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@functools.cache
def meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return create_model(name)


def renamed(model: nn.Module, keys, *, caffe2: bool = False) -> list[str]:
    state = {key: torch.empty(0) for key in keys}
    return list(to_our_keys(StoredWeights("file", state, caffe2=caffe2), model).state)


@pytest.mark.parametrize(
    ("blob", "key"),
    [
        ("conv1_w", "s1.pathway0_stem.conv.weight"),
        ("t_conv1_w", "s1.pathway1_stem.conv.weight"),
        ("res_conv1_bn_s", "s1.pathway0_stem.bn.weight"),
        ("res_conv1_bn_b", "s1.pathway0_stem.bn.bias"),
        ("t_res_conv1_bn_rm", "s1.pathway1_stem.bn.running_mean"),
        ("t_res_conv1_bn_riv", "s1.pathway1_stem.bn.running_var"),
        ("res2_0_branch1_w", "s2.pathway0_res0.branch1.weight"),
        ("res2_0_branch1_bn_b", "s2.pathway0_res0.branch1_bn.bias"),
        ("res4_22_branch2a_w", "s4.pathway0_res22.branch2.a.weight"),
        ("t_res5_1_branch2c_w", "s5.pathway1_res1.branch2.c.weight"),
        ("res3_1_branch2b_bn_riv", "s3.pathway0_res1.branch2.b_bn.running_var"),
        ("t_res4_5_branch2c_bn_s", "s4.pathway1_res5.branch2.c_bn.weight"),
        ("t_pool1_subsample_w", "s1_fuse.conv_f2s.weight"),
        ("t_pool1_subsample_bn_riv", "s1_fuse.bn.running_var"),
        ("t_res2_2_branch2c_bn_subsample_w", "s2_fuse.conv_f2s.weight"),
        ("t_res4_5_branch2c_bn_subsample_bn_rm", "s4_fuse.bn.running_mean"),
        ("nonlocal_conv3_1_theta_w", "s3.pathway0_nonlocal1.conv_theta.weight"),
        ("nonlocal_conv4_5_phi_b", "s4.pathway0_nonlocal5.conv_phi.bias"),
        ("nonlocal_conv4_13_g_w", "s4.pathway0_nonlocal13.conv_g.weight"),
        ("nonlocal_conv3_3_out_b", "s3.pathway0_nonlocal3.conv_out.bias"),
        ("nonlocal_conv3_3_bn_s", "s3.pathway0_nonlocal3.bn.weight"),
        ("pred_w", "head.projection.weight"),
        ("pred_b", "head.projection.bias"),
        ("res9_mystery_w", "res9_mystery_w"),
        ("conv1_rm", "conv1_rm"),
    ],
)
def test_names_of_caffe2(blob, key):
    assert caffe2_to_slowfast(blob) == key


@pytest.mark.parametrize(
    ("network", "key", "expected"),
    [
        ("slow_r50", "s1.pathway0_stem.conv.weight", "blocks.0.conv.weight"),
        ("slow_r50", "s1.pathway0_stem.bn.running_var", "blocks.0.norm.running_var"),
        (
            "slow_r50",
            "s2.pathway0_res0.branch1.weight",
            "blocks.1.res_blocks.0.branch1_conv.weight",
        ),
        (
            "slow_r50",
            "s2.pathway0_res0.branch1_bn.bias",
            "blocks.1.res_blocks.0.branch1_norm.bias",
        ),
        (
            "slow_r50",
            "s5.pathway0_res2.branch2.a.weight",
            "blocks.4.res_blocks.2.branch2.conv_a.weight",
        ),
        (
            "slow_r50",
            "s3.pathway0_res3.branch2.c_bn.running_mean",
            "blocks.2.res_blocks.3.branch2.norm_c.running_mean",
        ),
        ("slow_r50", "head.projection.bias", "blocks.5.proj.bias"),
        # The pool after Res2 is a block of its own.
        (
            "i3d_r50",
            "s2.pathway0_res1.branch2.b.weight",
            "blocks.1.res_blocks.1.branch2.conv_b.weight",
        ),
        (
            "i3d_r50",
            "s3.pathway0_res0.branch2.b.weight",
            "blocks.3.res_blocks.0.branch2.conv_b.weight",
        ),
        ("i3d_r50", "head.projection.weight", "blocks.6.proj.weight"),
        (
            "nonlocal_i3d_r50",
            "s4.pathway0_nonlocal5.conv_theta.bias",
            "blocks.4.res_blocks.5.nonlocal_block.conv_theta.bias",
        ),
        (
            "nonlocal_i3d_r50",
            "s3.pathway0_nonlocal1.bn.weight",
            "blocks.3.res_blocks.1.nonlocal_block.norm.weight",
        ),
        (
            "slowfast_r50",
            "s1.pathway1_stem.bn.weight",
            "blocks.0.multipathway_blocks.1.norm.weight",
        ),
        (
            "slowfast_r50",
            "s1_fuse.conv_f2s.weight",
            "blocks.0.multipathway_fusion.conv_fast_to_slow.weight",
        ),
        ("slowfast_r50", "s4_fuse.bn.bias", "blocks.3.multipathway_fusion.norm.bias"),
        (
            "slowfast_r50",
            "s4.pathway1_res5.branch2.b_bn.weight",
            "blocks.3.multipathway_blocks.1.res_blocks.5.branch2.norm_b.weight",
        ),
        ("slow_r50", "s4.pathway0_res6.branch2.a.weight", "s4.pathway0_res6.branch2.a.weight"),
        ("slow_r50", "s6.pathway0_res0.branch2.a.weight", "s6.pathway0_res0.branch2.a.weight"),
    ],
)
def test_names_of_slowfast(network, key, expected):
    marker = "s2.pathway0_res0.branch2.a.weight"
    assert renamed(meta(network), [key, marker])[0] == expected


def slowfast_keys(*, pathways: int, nonlocal_blocks: bool) -> set[str]:
    """All keys of a ResNet-50 in SlowFast, from the module names in its source."""
    keys = {"head.projection.weight", "head.projection.bias"}

    def add(conv: str, norm: str) -> None:
        keys.add(f"{conv}.weight")
        keys.update(f"{norm}.{name}" for name in NORM)

    for p in range(pathways):
        add(f"s1.pathway{p}_stem.conv", f"s1.pathway{p}_stem.bn")
        for stage, blocks in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
            add(f"s{stage}.pathway{p}_res0.branch1", f"s{stage}.pathway{p}_res0.branch1_bn")
            for i in range(blocks):
                block = f"s{stage}.pathway{p}_res{i}.branch2"
                for layer in "abc":
                    add(f"{block}.{layer}", f"{block}.{layer}_bn")
    if pathways == 2:
        for stage in (1, 2, 3, 4):
            add(f"s{stage}_fuse.conv_f2s", f"s{stage}_fuse.bn")
    if nonlocal_blocks:
        for stage, i in ((3, 1), (3, 3), (4, 1), (4, 3), (4, 5)):
            unit = f"s{stage}.pathway0_nonlocal{i}"
            for layer in ("theta", "phi", "g", "out"):
                keys.update({f"{unit}.conv_{layer}.weight", f"{unit}.conv_{layer}.bias"})
            keys.update(f"{unit}.bn.{name}" for name in NORM)
    return keys


@pytest.mark.parametrize(
    ("name", "pathways", "nonlocal_blocks"),
    [
        ("c2d_r50", 1, False),
        ("nonlocal_slow_r50", 1, True),
        ("nonlocal_slowfast_r50", 2, True),
    ],
)
def test_every_key_of_slowfast_finds_its_own_place(name, pathways, nonlocal_blocks):
    model = meta(name)
    keys = slowfast_keys(pathways=pathways, nonlocal_blocks=nonlocal_blocks)
    found = renamed(model, keys)
    assert len(found) == len(keys)
    assert set(found) == set(model.state_dict())


def test_units_of_the_glore_repository():
    model = meta("glore_r50_8x8")
    state = {
        "module.conv3.B01_extra.gcn.conv1.weight": torch.empty(0),
        "module.conv4.B05_extra.blocker.running_var": torch.empty(0),
        "module.conv4.B05.conv_m1.bn.weight": torch.empty(0),
        "module.classifier.weight": torch.empty(0),
    }
    ours = to_our_keys(StoredWeights("file", state), model)
    assert list(ours.state) == [
        "conv3.B01.glore.gcn.conv1.weight",
        "conv4.B05.glore.blocker.running_var",
        "conv4.B05.conv_m1.bn.weight",
        "classifier.weight",
    ]
    assert ours.normalize is False


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("conv1.weight", "blocks.0.conv.weight"),
        ("bn1.running_mean", "blocks.0.norm.running_mean"),
        ("layer1.0.conv1.weight", "blocks.1.res_blocks.0.branch2.conv_a.weight"),
        ("layer4.2.bn3.bias", "blocks.5.res_blocks.2.branch2.norm_c.bias"),
        ("layer2.0.downsample.0.weight", "blocks.3.res_blocks.0.branch1_conv.weight"),
        ("layer2.0.downsample.1.weight", "blocks.3.res_blocks.0.branch1_norm.weight"),
        ("layer3.5.bn2.running_var", "blocks.4.res_blocks.5.branch2.norm_b.running_var"),
        ("fc.bias", "blocks.6.proj.bias"),
        ("layer5.0.conv1.weight", "layer5.0.conv1.weight"),
    ],
)
def test_names_of_2d_resnets(key, expected):
    assert renamed(meta("i3d_r50"), ["layer1.0.conv1.weight", key])[-1] == expected


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("preact_r50_8x8", "layer1.0.conv1.weight", "file .a 2D ResNet. does not fit a Preact"),
        ("slowfast_r50", "layer1.0.conv1.weight", "network with 2 pathways is not inflated"),
        ("glore_r50_8x8", "s1.pathway0_stem.conv.weight", "go into c2d, i3d, slow or slowfast"),
    ],
)
def test_networks_that_the_weights_are_not_for(name, key, message):
    with pytest.raises(ValueError, match=message):
        renamed(meta(name), [key])


def test_wrappers_come_off_unless_the_network_wears_them():
    plain = nn.Sequential(nn.Linear(1, 1))
    assert renamed(plain, ["model.module.0.weight"]) == ["0.weight"]
    assert renamed(plain, ["module.0.weight", "other"]) == ["module.0.weight", "other"]
    wrapped = nn.ModuleDict({"model": plain})
    assert renamed(wrapped, ["model.0.weight"]) == ["model.0.weight"]
    assert renamed(wrapped, ["module.model.0.weight"]) == ["model.0.weight"]


def test_a_2d_network_keeps_its_own_names():
    host = nn.ModuleDict({"layer1": nn.Sequential(nn.ModuleDict({"conv1": nn.Conv2d(1, 1, 1)}))})
    assert renamed(host, ["layer1.0.conv1.weight"]) == ["layer1.0.conv1.weight"]


def test_fully_connected_layers_and_convolutions_of_caffe2():
    """Caffe2's networks may hold a 1x1x1 convolution as a matrix, and the other way round."""
    model = meta("c2d_r50")
    state = {
        "pred_w": torch.zeros(400, 2048, 1, 1, 1),
        "res2_0_branch1_w": torch.zeros(256, 64),
        "conv1_w": torch.zeros(64, 3, 7, 7),
    }
    ours = to_our_keys(StoredWeights("file", state, caffe2=True), model).state
    assert [tuple(value.shape) for value in ours.values()] == [
        (400, 2048),
        (256, 64, 1, 1, 1),
        (64, 3, 7, 7),
    ]


def test_head_path():
    model = insert_glore(TinyResNet3d(3), after=["stage2.0"])
    assert head_path(model) == "classifier"
    assert head_path(nn.Conv1d(1, 1, 1)) is None
