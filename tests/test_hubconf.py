import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glore_video.models import GloreUnit, create_model, list_models, list_segmentation_models

CHECKOUT = Path(__file__).parents[1]

# Everything that torch, torchvision, pytorchvideo and iopath may do without.
OTHERS = (
    "av decord torchcodec cv2 pydantic tensorboard torchmetrics timm safetensors jinja2 "
    "hypothesis pytest"
).split()


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
    assert entries == {*names, "glore_unit"}
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
