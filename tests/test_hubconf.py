import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glore_video.models import (
    GloreUnit,
    create_model,
    glore_units,
    list_models,
    list_segmentation_models,
)

CHECKOUT = Path(__file__).parents[1]

# Everything that torch, torchvision, pytorchvideo and iopath may do without.
OTHERS = (
    "av decord torchcodec cv2 pydantic tensorboard torchmetrics timm safetensors jinja2 "
    "hypothesis pytest"
).split()

PICTURES = {
    f"glore_{host}"
    for host in (
        *("resnet50", "resnet101", "resnet200", "resnext101_32x4d", "seresnet50"),
        *("dpn98", "dpn131"),
    )
}


def load(name: str, **options) -> torch.nn.Module:
    with torch.device("meta"):
        return torch.hub.load(str(CHECKOUT), name, source="local", **options)


def test_entries_are_the_names_of_the_zoo():
    spec = importlib.util.spec_from_file_location("hubconf_in_test", CHECKOUT / "hubconf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # As torch.hub.list does.
    entries = {n for n in dir(module) if callable(getattr(module, n)) and not n.startswith("_")}
    names = [*list_models(), *list_segmentation_models()]
    assert entries == {*names, "glore_unit", "segmentation_network", *PICTURES}
    assert all("pretrained" in getattr(module, name).__doc__ for name in PICTURES)
    for name in names:
        assert getattr(module, name).args == (name,)
        assert "pretrained" in getattr(module, name).__doc__


def test_entries_build():
    model = load("glore_slow_r50", num_classes=7)
    with torch.device("meta"):
        assert list(model.state_dict()) == list(create_model("glore_slow_r50").state_dict())
    assert model.blocks[-1].proj.out_features == 7
    unit = load("glore_unit", channels=8, dimension=2, normalize=False)
    assert isinstance(unit, GloreUnit)
    assert (unit.channels, unit.dimension, unit.normalize) == (8, 2, False)


def test_networks_that_segment():
    model = load(
        "segmentation_network", backbone="tiny2d", num_classes=4, form="glore", auxiliary=True
    )
    assert model.head.classifier.out_channels == 4
    assert list(glore_units(model)) == ["head.glore"]
    assert model.head_names == ("auxiliary_head", "head")
    pytest.importorskip("timm", reason="timm is not installed")
    named = load("glore_fcn_resnet50", num_classes=7)
    with torch.device("meta"):
        shape = named.eval()(torch.empty(1, 3, 64, 96)).shape
    assert shape == (1, 7, 64, 96)


def test_networks_for_pictures():
    own = load("preact_resnet50_2d", num_classes=5, glore_units=(0, 1))
    assert [unit.form for unit in glore_units(own).values()] == ["preactivated"]
    pytest.importorskip("timm", reason="timm is not installed")
    model = load("glore_resnet50", num_classes=7)
    after = [*(f"layer2.{i}" for i in (0, 2)), *(f"layer3.{i}" for i in (0, 2, 4))]
    assert list(glore_units(model)) == [f"{path}.glore" for path in after]
    assert model.fc.out_features == 7
    other = load("glore_seresnet50", units=(0, 1), nodes=8)
    assert [unit.nodes for unit in glore_units(other).values()] == [8]


@pytest.mark.slow
def test_a_host_keeps_its_weights(tmp_path):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    host = timm.create_model("resnet50").eval()
    torch.save(host.state_dict(), tmp_path / "host.pth")
    model = torch.hub.load(
        str(CHECKOUT), "glore_resnet50", source="local", pretrained=str(tmp_path / "host.pth")
    ).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(x), host(x))


@pytest.mark.slow
def test_it_needs_no_decoder_and_nothing_else():
    script = f"""
import sys
for name in {OTHERS}:
    sys.modules[name] = None  # importing it fails
import torch
with torch.device("meta"):
    model = torch.hub.load({str(CHECKOUT)!r}, "glore_slow_r50", source="local")
assert model.blocks[2].res_blocks[0].glore.channels == 512
assert not [name for name in sys.modules if name.startswith("glore_video.video")]
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
