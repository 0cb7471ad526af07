"""How networks by name are fed."""

import pytest

from glore_video.errors import UsageError
from glore_video.models import is_foreign, list_models
from glore_video.models.named_info import network_info


def fed(name):
    info = network_info(name)
    return info.input_shape, info.stride, info.views


def test_networks_for_clips():
    for kind in ("", "glore_", "nonlocal_"):
        assert fed(f"{kind}slowfast_r50") == ((3, 32, 256, 256), 2, 30)
    for name in ("preact_r50_8x8", "preact_r101_8x8", "glore_r50_8x8", "glore_r101_8x8"):
        assert fed(name) == ((3, 8, 224, 224), 8, 1)
        assert network_info(name).mean == (124 / 255, 117 / 255, 104 / 255)
    for name in ("nonlocal_i3d_r50", "glore_c2d_r50", "slow_r50"):
        assert fed(name) == ((3, 8, 256, 256), 8, 30)
        assert network_info(name).std == (0.225, 0.225, 0.225)


def test_networks_for_pictures():
    for depth in (50, 101, 200):
        info = network_info(f"preact_resnet{depth}_2d")
        assert (info.input_shape, info.scaled_side) == ((3, 224, 224), 256)
        assert not info.takes_clips
        assert info.glore_form == "preactivated"
    clips = [name for name in list_models() if network_info(name).takes_clips]
    assert len(clips) == len(list_models()) - 3
    assert {network_info(name).glore_form for name in clips} == {"post"}


def test_networks_of_other_packages():
    info = network_info("torchvision/resnet18")
    assert is_foreign(info.name)
    assert (info.input_shape, info.glore_form, info.views) == ((3, 224, 224), "post", 1)


def test_unknown_names():
    with pytest.raises(
        UsageError, match="unknown model 'preact_resnet52_2d'; nearest: preact_resn"
    ):
        network_info("preact_resnet52_2d")
