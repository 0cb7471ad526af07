import warnings
from functools import partial

import pytest
import torch
from torch import nn

from glore_video.models.networks.backbones import (
    SlowFastOptions,
    resnet,
    slow_frames,
    slowfast,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pytorchvideo.models import hub


@pytest.fixture(scope="module")
def small_slowfast() -> nn.Module:
    torch.manual_seed(0)
    return slowfast(num_classes=5).eval()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (partial(resnet, "c2d"), hub.c2d_r50),
        (partial(resnet, "i3d"), hub.i3d_r50),
        (partial(resnet, "slow"), hub.slow_r50),
        (slowfast, hub.slowfast_r50),
        (
            lambda: slowfast(101, options=SlowFastOptions(fusion_kernel_size=5)),
            hub.slowfast_r101,
        ),
    ],
    ids=["c2d", "i3d", "slow", "slowfast", "slowfast-r101"],
)
def test_keys_and_layers_are_pytorchvideos(ours, theirs):
    with torch.device("meta"):
        ours, theirs = ours(), theirs()
    shapes = {k: v.shape for k, v in theirs.state_dict().items()}
    assert {k: v.shape for k, v in ours.state_dict().items()} == shapes

    def settings(model):
        return [
            (name, tuple(m.kernel_size), tuple(m.stride), tuple(m.padding))
            for name, m in model.named_modules()
            if isinstance(m, (nn.Conv3d, nn.MaxPool3d))
        ]

    assert settings(ours) == settings(theirs)


def test_same_logits_as_pytorchvideo_where_its_head_covers_all_positions():
    torch.manual_seed(0)
    ours = resnet("slow", num_classes=4).eval()
    theirs = hub.slow_r50(model_num_class=4).eval()
    theirs.blocks[5].pool = nn.AvgPool3d((4, 1, 1), stride=1)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(1, 3, 4, 32, 32)
    torch.testing.assert_close(ours(x), theirs(x))


def test_nopool_differs_from_c2d_by_the_pooling_only():
    with torch.device("meta"):
        pooled, plain = resnet("c2d"), resnet("c2d_nopool")
    assert sum(isinstance(m, nn.MaxPool3d) for m in pooled.modules()) == 2
    assert sum(isinstance(m, nn.MaxPool3d) for m in plain.modules()) == 1
    assert pooled.blocks[2].kernel_size == (2, 1, 1)


def test_layer_settings_are_python_ints():
    with torch.device("meta"):
        models = [resnet("i3d"), slowfast()]
    values = [
        value
        for model in models
        for m in model.modules()
        if isinstance(m, (nn.Conv3d, nn.MaxPool3d))
        for setting in (m.kernel_size, m.stride, m.padding, m.dilation)
        for value in (setting if isinstance(setting, tuple) else (setting,))
    ]
    assert {type(value) for value in values} == {int}


@pytest.mark.parametrize("training", [True, False])
def test_any_size_gives_the_mean_of_logits_over_positions(training):
    torch.manual_seed(0)
    model = resnet("slow", num_classes=3, dropout_rate=0.0).train(training)
    x = torch.randn(2, 3, 3, 64, 96)
    seen = []
    model.blocks[4].register_forward_hook(lambda m, i, o: seen.append(o))
    logits = model(x)
    assert seen[0].shape == (2, 2048, 3, 2, 3)
    expected = model.blocks[5].proj(seen[0].movedim(1, -1)).mean(dim=(1, 2, 3))
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("zero", [True, False])
def test_zero_init_final_bn(zero):
    model = resnet("c2d", num_classes=2, zero_init_final_bn=zero)  # not on "meta": values matter
    block = model.blocks[1].res_blocks[0].branch2
    assert block.norm_c.weight.unique().tolist() == [0.0 if zero else 1.0]
    assert block.norm_b.weight.unique().tolist() == [1.0]


def test_limited_temporal_kernels():
    with torch.device("meta"):
        single = resnet("i3d", 101, num_block_temp_kernel=[3, 4, 6, 3])
        double = slowfast(101, num_block_temp_kernel=[[3, 3], [4, 4], [6, 23], [3, 3]])
    sizes = [b.branch2.conv_a.kernel_size[0] for b in single.blocks[4].res_blocks]
    assert sizes == [3, 1, 3, 1, 3, 1] + [1] * 17
    slow_path, fast_path = double.blocks[3].multipathway_blocks
    assert [b.branch2.conv_a.kernel_size[0] for b in slow_path.res_blocks] == [3] * 6 + [1] * 17
    assert [b.branch2.conv_a.kernel_size[0] for b in fast_path.res_blocks] == [3] * 23
    with pytest.raises(
        ValueError, match=r"at most \[3, 4, 6, 3\] \(depth 50\), got \[3, 4, 7, 3\]"
    ):
        resnet("slow", num_block_temp_kernel=[3, 4, 7, 3])


@pytest.mark.parametrize(
    ("frames", "alpha", "expected"),
    [
        (32, 4, [0, 4, 8, 13, 17, 22, 26, 31]),
        (32, 8, [0, 10, 20, 31]),
        (8, 4, [0, 7]),
        (4, 4, [0]),
    ],
)
def test_slow_frames(frames, alpha, expected):
    clip = torch.arange(frames).reshape(1, 1, frames, 1, 1)
    assert slow_frames(clip, alpha).flatten().tolist() == expected


@pytest.mark.parametrize("alpha", [2, 4, 8, 16])
def test_slow_frames_are_those_of_slowfast(alpha):
    for count in range(1, 129):
        frames = alpha * count
        clip = torch.arange(frames).reshape(1, 1, frames, 1, 1)
        expected = torch.linspace(0, frames - 1, count).long()
        assert torch.equal(slow_frames(clip, alpha).flatten(), expected)


def test_one_clip_or_both_pathways(small_slowfast):
    fast = torch.randn(1, 3, 8, 32, 32)
    pair = [fast[:, :, [0, 7]], fast]
    expected = small_slowfast(pair)
    assert expected.shape == (1, 5)
    assert torch.equal(small_slowfast(fast), expected)
    assert pair[0].shape == (1, 3, 2, 32, 32), "the caller's list was changed"


def test_slowfast_input_errors(small_slowfast):
    clip = torch.zeros(1, 3, 6, 32, 32)
    with pytest.raises(ValueError, match="multiple of 4 frames, got 6"):
        small_slowfast(clip)
    with pytest.raises(ValueError, match="4 times the frames of the slow one, got 6 and 2"):
        small_slowfast([clip[:, :, :2], clip])
    with pytest.raises(ValueError, match="got 1 clips"):
        small_slowfast([clip])


def test_slowfast_options_shape_the_network():
    with torch.device("meta"):
        options = SlowFastOptions(
            alpha=8, beta_inv=4, fusion_conv_channel_ratio=1, fusion_kernel_size=5
        )
        model = slowfast(options=options)
        logits = model(torch.zeros(1, 3, 16, 64, 64))
    fusion = model.blocks[0].multipathway_fusion.conv_fast_to_slow
    assert (fusion.in_channels, fusion.out_channels) == (16, 16)
    assert (fusion.kernel_size, fusion.stride) == ((5, 1, 1), (8, 1, 1))
    assert logits.shape == (1, 400)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match=r"depth must be one of \[50, 101\], got 18"):
        resnet("i3d", 18)
    with pytest.raises(ValueError, match="fusion_kernel_size odd"):
        slowfast(options=SlowFastOptions(fusion_kernel_size=4))
