"""The paper's ImageNet networks as MXNet names their parameters; mxnet_files/make.py computed the unit."""

from pathlib import Path

import pytest
import torch
from torch import nn

from glore_video.models import create_model, insert_glore, load_weights
from glore_video.models.weights.files import StoredWeights, read_weights
from glore_video.models.weights.foreign_keys import to_our_keys

FILES = Path(__file__).parent / "mxnet_files"
DEPTHS = {2: 3, 3: 4, 4: 6, 5: 3}
UNITS = {3: (1, 3), 4: (1, 3, 5)}


def bn_and_conv(name):
    yield from (f"{name}_bn_{part}" for part in ("gamma", "beta", "moving_mean", "moving_var"))
    yield f"{name}_conv_weight"


def names_of_resnet50(units):
    """Names of all arrays, in the order of the network's layers."""
    yield "conv1_conv_weight"
    yield from list(bn_and_conv("conv1"))[:-1]
    for stage, depth in DEPTHS.items():
        for number in range(1, depth + 1):
            block = f"conv{stage}_B{number:02d}"
            for layer in ("m1", "m2", "m3", *(["w1"] if number == 1 else [])):
                yield from bn_and_conv(f"{block}_conv-{layer}")
            if number in units.get(stage, ()):
                for layer in ("conv-state", "conv-proj", "GCN-G", "GCN-GHW", "fc-2"):
                    yield from bn_and_conv(f"{block}_extra_{layer}")
    yield from list(bn_and_conv("tail"))[:-1]
    yield from ("classifier_weight", "classifier_bias")


@pytest.mark.parametrize("units", [{}, UNITS], ids=["plain", "(2, 3)"])
def test_every_name_of_the_papers_resnet50_has_its_key(units):
    with torch.device("meta"):
        model = create_model("preact_resnet50_2d", glore_units=[2, 3] if units else None)
    names = list(names_of_resnet50(units))
    stored = StoredWeights("file", {name: torch.empty(0) for name in names}, mxnet=True)
    ours = to_our_keys(stored, model)
    wanted = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
    assert set(ours.state) == wanted
    assert len(names) == len(wanted)
    assert (ours.format, ours.normalize) == ("GloRe, ImageNet, MXNet", False)


class Host(nn.Module):
    """A block where the paper's unit stands."""

    def __init__(self):
        super().__init__()
        self.conv3 = nn.Sequential()
        self.conv3.add_module("B01", nn.Sequential(nn.Identity()))

    def forward(self, x):
        return self.conv3(x)


def test_a_unit_computes_what_mxnet_computes():
    stored = read_weights(FILES / "unit.params").state
    x, expected = stored.pop("data"), stored.pop("output")
    model = insert_glore(
        Host(),
        after=["conv3.B01"],
        nodes=2,
        states=4,
        channels=6,
        dim=2,
        form="preactivated",
        normalize=False,
    ).eval()
    report = load_weights(model, StoredWeights("unit.params", stored, mxnet=True))
    assert not report.newly_initialised
    with torch.no_grad():
        y = model(x)
    assert (expected - x).abs().max() > 1
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)


def test_names_of_nobody_stay():
    model = insert_glore(Host(), after=["conv3.B01"], channels=6, dim=2, form="preactivated")
    others = ["conv3_B01_extra_odd_bn_gamma", "conv2_B01_conv-m1_bn_odd", "momentum"]
    state = {name: torch.empty(0) for name in ("tail_bn_beta", *others)}
    ours = to_our_keys(StoredWeights("file", state, mxnet=True), model)
    assert list(ours.state) == ["tail.bn.bias", *others]


def test_gluons_batch_norms():
    model = nn.Sequential(nn.BatchNorm2d(2))
    gluon = read_weights(FILES / "gluon.params").state
    state = {f"0.{key}": value + 3 for key, value in gluon.items()}
    report = load_weights(model, StoredWeights("gluon.params", state, mxnet=True))
    assert report.format == "MXNet"
    assert model[0].running_var.tolist() == [4, 4]
    assert model[0].weight.tolist() == [4, 4]
    assert model[0].bias.tolist() == [3, 3]


def test_a_network_with_other_names_is_refused_with_both():
    with pytest.raises(ValueError, match=r"types.params matches the network: it has float32"):
        load_weights(nn.Linear(2, 2), FILES / "types.params")
