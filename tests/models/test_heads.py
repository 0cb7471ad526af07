"""Classifiers of networks by name and of networks handed in, and files of another number of classes."""

import pytest
import torch
import torchvision
from torch import nn

from glore_video.models import UnfitWeightsError, create_model, insert_glore, load_weights
from glore_video.models.networks.heads import head_path, head_paths


def of_timm(name):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    return lambda classes: timm.create_model(name, num_classes=classes)


def segmentation(name, **settings):
    build = getattr(torchvision.models.segmentation, name)
    return lambda classes: build(
        weights=None, weights_backbone=None, num_classes=classes, **settings
    )


HEADS = {
    "squeezenet1_1": (
        lambda: lambda classes: torchvision.models.squeezenet1_1(num_classes=classes),
        ("classifier.1",),
    ),
    "googlenet": (
        lambda: (
            lambda classes: torchvision.models.googlenet(num_classes=classes, init_weights=False)
        ),
        ("aux1.fc2", "aux2.fc2", "fc"),
    ),
    "lraspp": (
        lambda: segmentation("lraspp_mobilenet_v3_large"),
        ("classifier.low_classifier", "classifier.high_classifier"),
    ),
    "fcn_resnet50": (
        lambda: segmentation("fcn_resnet50", aux_loss=True),
        ("classifier.4", "aux_classifier.4"),
    ),
    "dpn68": (lambda: of_timm("dpn68"), ("classifier",)),
    "resnetv2_50x1_bit": (lambda: of_timm("resnetv2_50x1_bit"), ("head.fc",)),
    "distilled DeiT": (
        lambda: of_timm("deit_tiny_distilled_patch16_224"),
        ("head", "head_dist"),
    ),
}


@pytest.mark.parametrize(("build", "heads"), HEADS.values(), ids=HEADS)
def test_a_file_of_another_number_of_classes_loads_but_for_the_head(build, heads):
    model, other = build()(5), build()(3)
    assert head_paths(model) == heads
    stored = other.state_dict()
    before = {path: model.get_submodule(path).weight.clone() for path in heads}
    with pytest.raises(UnfitWeightsError, match=r"allow=\['head'\] would accept") as refusal:
        load_weights(model, stored)
    assert (refusal.value.groups, refusal.value.classes) == (("head",), 3)
    report = load_weights(model, stored, allow=["head"])
    of_head = tuple(f"{path}." for path in heads)
    assert report.heads == heads
    assert all(key.startswith(of_head) for key in report.newly_initialised)
    assert {key.rpartition(".")[0] for key in report.newly_initialised} == set(heads)
    assert not report.unexpected
    for path, weight in before.items():
        assert torch.equal(model.get_submodule(path).weight, weight)
    for key, value in model.state_dict().items():
        assert key.startswith(of_head) or torch.equal(value, stored[key]), key


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/dpn68"])
def test_a_file_of_another_number_of_classes_by_name(name, tmp_path):
    if name.startswith("timm/"):
        pytest.importorskip("timm", reason="timm is not installed")
    path = tmp_path / "other.pth"
    torch.save(create_model(name, num_classes=3).state_dict(), path)
    model = create_model(name, num_classes=5, pretrained=path)
    assert len(model.get_submodule(head_path(model)).weight) == 5
    with pytest.raises(UnfitWeightsError, match="has 3 classes, the network 1000; give num_cl"):
        create_model(name, pretrained=path)


def test_a_network_without_a_head_has_none():
    assert head_paths(nn.Conv1d(1, 1, 1)) == ()
    assert head_paths(nn.ReLU()) == ()


def test_a_linear_layer_of_the_network_goes_before_convolutions_that_come_later():
    model = nn.Module()
    model.fc = nn.Linear(8, 3)
    model.backbone = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU())
    assert head_paths(model) == ("fc",)


def test_layers_in_a_row_are_not_heads_of_one_kind():
    model = nn.Module()
    model.first, model.second = nn.Linear(8, 10), nn.Linear(10, 10)
    assert head_paths(model) == ("second",)


def test_a_wrapped_network_keeps_its_heads():
    model = insert_glore(torchvision.models.resnet18(num_classes=3), after=["layer4.1"])
    assert head_paths(nn.DataParallel(model)) == ("module.fc",)
    assert head_paths(nn.Sequential(nn.Sequential(nn.Linear(2, 3)))) == ("0.0",)
