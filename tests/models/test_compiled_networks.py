"""Whole networks under torch.compile: one graph, kept for clips of other lengths."""

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from glore_video.config import load_config
from glore_video.engine.compiling import Compiling
from glore_video.models.zoo import create_model
from glore_video.runs.network import build_model


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


CLIPS, PICTURES = (2, 3, 8, 64, 64), (2, 3, 64, 64)
PICTURE = {"TASK": "image_classification"}
NETWORKS = {
    "tiny": ({"MODEL.ARCH": "tiny", "GLORE.LOCATION": "[[[0]]]"}, CLIPS),
    "tiny2d": ({**PICTURE, "MODEL.ARCH": "tiny2d", "GLORE.LOCATION": "[[[0]]]"}, PICTURES),
    "preact": ({"GLORE.UNITS": "[2, 3]", "NONLOCAL.UNITS": "[1, 0]"}, CLIPS),
    "slowfast": ({"MODEL.ARCH": "slowfast", "GLORE.UNITS": "[2, 3]"}, CLIPS),
    "torchvision": (
        {"MODEL.NAME": "torchvision/video/r3d_18", "GLORE.AFTER": "[layer3.*]"},
        CLIPS,
    ),
    "timm": ({**PICTURE, "MODEL.NAME": "timm/resnet18", "GLORE.AFTER": "[layer3.*]"}, PICTURES),
    "segmentation": (
        {
            "TASK": "segmentation",
            "MODEL.NAME": "glore_fcn_resnet50",
            "MODEL.NUM_CLASSES": 4,
            "HEAD.AUXILIARY": True,
        },
        PICTURES,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_one_graph_of_what_configurations_build(name, training):
    """No graph breaks: a pass through MODEL.COMPILE all is one graph."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    keys, shape = NETWORKS[name]
    config = load_config(pairs=[str(word) for pair in keys.items() for word in pair])
    network = build_model(config).train(training)
    counter = CompileCounterWithBackend("eager")
    compiling = Compiling("all", backend=counter)
    run = (
        compiling.for_training(network, batch_size=shape[0])
        if training
        else compiling.for_evaluation(network)
    )
    inputs = torch.randn(shape)
    with torch.no_grad():
        for _ in range(3):
            run(inputs)
    torch._dynamo.reset()
    assert counter.frame_count == 1
