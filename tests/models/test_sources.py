"""Networks of timm, torchvision and pytorchvideo by name."""

import operator
import socket
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from glore_video.errors import MissingFileError, UsageError
from glore_video.models import create_model, glore_units, match_blocks
from glore_video.models.networks.heads import head_paths
from glore_video.models.networks.sources import build_foreign, network_info

NEEDS_TIMM = pytest.mark.skipif(not find_spec("timm"), reason="timm is not installed")
# name, input to try, published input, classifier
NETWORKS = [
    ("torchvision/resnet18", (3, 64, 64), (3, 224, 224), ("fc",)),
    ("torchvision/squeezenet1_1", (3, 64, 64), (3, 224, 224), ("classifier.1",)),
    ("torchvision/googlenet", (3, 64, 64), (3, 224, 224), ("fc",)),
    ("torchvision/video/r3d_18", (3, 4, 32, 32), (3, 16, 112, 112), ("fc",)),
    ("torchvision/video/swin3d_t", (3, 4, 32, 32), (3, 16, 224, 224), ("head",)),
    ("pytorchvideo/x3d_xs", (3, 4, 64, 64), (3, 4, 160, 160), ("blocks.5.proj",)),
    ("pytorchvideo/slow_r50", (3, 2, 32, 32), (3, 8, 224, 224), ("blocks.5.proj",)),
    ("pytorchvideo/slowfast_r50", (3, 8, 32, 32), (3, 32, 224, 224), ("blocks.6.proj",)),
]
OF_TIMM = [
    ("timm/resnet18", (3, 64, 64), (3, 224, 224), ("fc",)),
    ("timm/resnet18.a1_in1k", (3, 64, 64), (3, 224, 224), ("fc",)),
    ("timm/dpn68", (3, 64, 64), (3, 224, 224), ("classifier",)),
    (
        "timm/deit_tiny_distilled_patch16_224",
        (3, 224, 224),
        (3, 224, 224),
        ("head", "head_dist"),
    ),
]


@pytest.mark.parametrize(
    ("name", "tried", "published", "heads"),
    NETWORKS + OF_TIMM,
    ids=[each[0] for each in NETWORKS + OF_TIMM],
)
def test_network_by_name_has_the_classes_that_are_wanted(name, tried, published, heads):
    if name.startswith("timm/"):
        pytest.importorskip("timm", reason="timm is not installed")
    model, info = build_foreign(name, num_classes=7)
    assert (info.input_shape, head_paths(model)) == (published, heads)
    for head in heads:
        assert len(model.get_submodule(head).weight) == 7
    with torch.no_grad():
        assert model.eval()(torch.zeros(2, *tried)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "options", "path", "value"),
    [
        ("torchvision/resnet18", {"norm_layer": nn.InstanceNorm2d}, "bn1.affine", False),
        ("pytorchvideo/x3d_xs", {"dropout_rate": 0.25}, "blocks.5.dropout.p", 0.25),
        pytest.param("timm/resnet18", {"drop_rate": 0.25}, "drop_rate", 0.25, marks=NEEDS_TIMM),
    ],
    ids=["torchvision", "pytorchvideo", "timm"],
)
def test_options_of_every_package(name, options, path, value):
    model = create_model(name, num_classes=3, options=options)
    assert operator.attrgetter(path)(model) == value


def test_options_of_the_zoo_are_refused():
    with pytest.raises(
        UsageError, match="options are for networks of other packages, and slow_r50"
    ):
        create_model("slow_r50", options={"drop_rate": 0.5})


def test_colours_are_those_of_the_publisher():
    kinetics = network_info("torchvision/video/r3d_18")
    assert kinetics.mean == (0.43216, 0.394666, 0.37645)
    assert kinetics.takes_clips
    imagenet = network_info("torchvision/resnet18")
    assert (imagenet.mean, imagenet.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert not imagenet.takes_clips
    assert network_info("pytorchvideo/x3d_xs").std == (0.225, 0.225, 0.225)


def test_pytorchvideos_heads_return_logits_in_eval_mode():
    model, _ = build_foreign("pytorchvideo/x3d_xs")
    assert not any(isinstance(module, nn.Softmax) for module in model.modules())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torchvision/resnet19", r"torchvision has no 'resnet19'; nearest: torchvision/resnet1"),
        ("torchvision/video/resnet18", "torchvision has no 'video/resnet18'"),
        ("torchvision/r3d_18", "nearest: torchvision/video/r3d_18"),
        pytest.param("timm/resnet18.v9", "its weights are .*a1_in1k.*, not 'v9'", marks=NEEDS_TIMM),
        ("torchvision/resnet18.V9", r"its weights are IMAGENET1K_V1, not 'V9'"),
        ("pytorchvideo/x3d", "nearest: pytorchvideo/x3d_"),
        ("huggingface/resnet", "names begin with timm/, torchvision/, pytorchvideo/"),
    ],
    ids=[
        "misspelt",
        "no video",
        "in another folder",
        "tag of timm",
        "tag",
        "of a family",
        "package",
    ],
)
def test_names_that_are_not_known(name, said):
    with pytest.raises(UsageError, match=said):
        build_foreign(name)


def test_published_weights_without_a_network_connection(monkeypatch, tmp_path):
    def refuse(*arguments, **more):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingFileError, match=r"weights of torchvision/resnet18 can't be downl"):
        create_model("torchvision/resnet18", pretrained=True)


def test_units_after_blocks_that_a_pattern_names():
    model = create_model(
        "torchvision/resnet18", num_classes=5, glore_after=["layer3.*", "layer2.1"]
    )
    assert list(glore_units(model)) == ["layer2.1.glore", "layer3.0.glore", "layer3.1.glore"]
    assert [unit.channels for unit in glore_units(model).values()] == [128, 256, 256]
    with pytest.raises(UsageError, match=r"no block 'layer3.9'; nearest: layer3"):
        match_blocks(model, ["layer3.9"])
    assert match_blocks(model, ["layer4.*"]) == ["layer4.0", "layer4.1"]


@pytest.mark.parametrize(
    "name",
    [
        "torchvision/regnet_x_400mf",  # can't be built without memory for its weights
        "torchvision/segmentation/lraspp_mobilenet_v3_large",
        pytest.param("timm/vit_tiny_patch16_224", marks=NEEDS_TIMM),
        "pytorchvideo/x3d_l",
    ],
)
def test_what_is_known_of_a_network_needs_no_network(name, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a layer was built")

    # The lowest timm can't build a vision transformer without memory either; this one is small.
    with torch.device("cpu" if name.startswith("timm/") else "meta"):
        known = build_foreign(name)[1] if "regnet" not in name else None
    monkeypatch.setattr(nn.Module, "register_parameter", refuse)
    info = network_info(name)
    assert known in (None, info)
    assert info.input_shape[0] == 3


def test_segmentation_networks_by_name():
    name = "torchvision/segmentation/lraspp_mobilenet_v3_large"
    model = create_model(name, num_classes=4, glore_after=["backbone.12"])
    assert list(glore_units(model)) == ["backbone.12.glore"]
    with torch.no_grad():
        assert model.eval()(torch.zeros(1, 3, 64, 96))["out"].shape == (1, 4, 64, 96)
    assert network_info(name).input_shape == (3, 520, 520)
