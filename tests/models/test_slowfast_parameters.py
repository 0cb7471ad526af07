"""Parameters of the networks that SlowFast's Kinetics configs name, as its own code counts them."""

import pytest
import torch

from glore_video.models.networks.backbones import SlowFastOptions
from glore_video.models.networks.insertion import insert_nonlocal
from glore_video.models.networks.stages import locate
from glore_video.models.zoo import build_network

NLN = [[[]], [[1, 3]], [[1, 3, 5]], [[]]]
NLN_16X8_R101 = [[[], []], [[], []], [[6, 13, 20], []], [[], []]]
ALPHA_8_KERNEL_5 = SlowFastOptions(alpha=8, fusion_kernel_size=5)
ALPHA_4_KERNEL_5 = SlowFastOptions(alpha=4, fusion_kernel_size=5)
LIMITED = [[3, 3], [4, 4], [6, 6], [3, 3]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("configs", "arch", "depth", "location", "options", "parameters"),
    [
        ("C2D_8x8_R50", "c2d", 50, None, {}, 24_327_632),
        ("C2D_NOPOOL_8x8_R50", "c2d_nopool", 50, None, {}, 24_327_632),
        ("C2D_NLN_8x8_R50", "c2d", 50, NLN, {}, 31_686_096),
        ("I3D_8x8_R50", "i3d", 50, None, {}, 28_043_472),
        ("I3D_8x8_R101", "i3d", 101, None, {}, 51_754_192),
        ("I3D_NLN_8x8_R50", "i3d", 50, NLN, {}, 35_401_936),
        ("I3D_NLN_8x8_R101", "i3d", 101, NLN, {}, 59_112_656),
        ("SLOW_8x8_R50", "slow", 50, None, {}, 32_454_096),
        ("SLOW_NLN_8x8_R50", "slow", 50, NLN, {}, 39_812_560),
        ("SLOWFAST_4x16_R50", "slowfast", 50, None, {"slowfast": ALPHA_8_KERNEL_5}, 34_480_216),
        ("SLOWFAST_8x8_R50", "slowfast", 50, None, {}, 34_566_488),
        ("SLOWFAST_NLN_8x8_R50", "slowfast", 50, NLN, {"slowfast": ALPHA_4_KERNEL_5}, 41_838_680),
        (
            "SLOWFAST_8x8_R101_101_101",
            "slowfast",
            101,
            None,
            {"slowfast": ALPHA_4_KERNEL_5},
            62_826_968,
        ),
        (
            "SLOWFAST_8x8_R101_50_50",
            "slowfast",
            101,
            None,
            {"slowfast": ALPHA_4_KERNEL_5, "num_block_temp_kernel": LIMITED},
            53_774_808,
        ),
        (
            "SLOWFAST_NLN_16x8_R101_50_50",
            "slowfast",
            101,
            NLN_16X8_R101,
            {"slowfast": ALPHA_4_KERNEL_5, "num_block_temp_kernel": LIMITED},
            60_080_088,
        ),
    ],
)
def test_parameters(configs, arch, depth, location, options, parameters):
    with torch.device("meta"):
        model = build_network(arch, depth=depth, **options)
        if location:
            insert_nonlocal(model, after=locate(model, location))
    assert sum(p.numel() for p in model.parameters()) == parameters, configs
