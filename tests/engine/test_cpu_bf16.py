import pytest
import torch
from torch import nn

from glore_video.engine.cpu_bf16 import check_temporal_kernels
from glore_video.models import create_model
from glore_video.models.networks.tiny import TinyResNet3d


@pytest.mark.parametrize(("frames", "kernel"), [(2, 3), (4, 5), (3, 5)])
def test_fewer_frames_than_the_kernel_spans(frames, kernel):
    model = nn.Sequential(nn.Conv3d(3, 4, (kernel, 1, 1), padding=(kernel // 2, 0, 0)))
    with pytest.raises(ValueError, match=f"0 sees {frames} frames, its kernel spans {kernel}"):
        check_temporal_kernels(model, (3, frames, 8, 8))


@pytest.mark.parametrize("frames", [1, 3, 8])
def test_enough_frames_or_one(frames):
    check_temporal_kernels(TinyResNet3d(3), (3, frames, 32, 32))


def test_frames_are_those_of_the_layer():
    """The paper's network halves them before Res3."""
    model = create_model("glore_r50_8x8")
    check_temporal_kernels(model, (3, 8, 64, 64))
    with pytest.raises(ValueError, match=r"conv3\S+ sees 2 frames, its kernel spans 3.*now 4"):
        check_temporal_kernels(model, (3, 4, 64, 64))
    assert next(model.parameters()).device.type == "cpu"
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_weight_gradients_in_bf16_of_as_many_frames():
    """What the check lets through is right, whatever lay in memory before."""
    torch.manual_seed(0)
    for frames in (1, 3, 4, 8):
        conv = nn.Conv3d(16, 32, (3, 1, 1), padding=(1, 0, 0), bias=False)
        x, gradients = torch.randn(4, 16, frames, 8, 8), []
        for enabled in (True, False):
            garbage = [torch.full((size,), 1e4) for size in (432, 1536, 4096, 6912)]
            del garbage
            conv.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                y = conv(x)
            y.float().square().sum().backward()
            gradients.append(conv.weight.grad.clone())
        assert (gradients[0] - gradients[1]).norm() < 0.02 * gradients[1].norm()
