"""Whole networks under torch.compile: one graph, kept for clips of other lengths."""

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from glore_video.models.zoo import create_model


@pytest.mark.slow
# C2D and Slow differ from I3D in the sizes of kernels.
@pytest.mark.parametrize("name", ["glore_r50_8x8", "glore_i3d_r50", "glore_slowfast_r50"])
def test_compiled_once_for_all_clip_lengths(name):
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = create_model(name, num_classes=5).eval()
    counter = CompileCounterWithBackend("eager")
    compiled = torch.compile(model, fullgraph=True, backend=counter)
    counts = []
    with torch.no_grad():
        for frames in (8, 16, 24, 32, 40):
            clip = torch.randn(1, 3, frames, 64, 64)
            torch.testing.assert_close(compiled(clip), model(clip))
            counts.append(counter.frame_count)
    torch._dynamo.reset()
    # The first for this length, the second for any; one more where the units change their order.
    assert counts[2] <= 3
    assert counts[2:] == [counts[2]] * 3
