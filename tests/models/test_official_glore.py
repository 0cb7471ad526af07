"""The published networks, against a second implementation that reads the published names."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glore_video.models.networks.inserted_units import glore_units
from glore_video.models.zoo import create_model

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
UNITS = {50: {3: (1, 3), 4: (1, 3, 5)}, 101: {3: (1, 3), 4: (6, 12, 18)}}


class Official:
    """network/resnet50_3d_gcn_x5.py and resnet101_3d_gcn_x5.py, from their layers' shapes."""

    def __init__(self, depth: int, classes: int) -> None:
        torch.manual_seed(0)
        self.depth = depth
        self.state: dict[str, Tensor] = {}
        self.mode = "eval"
        self._conv("conv1.conv", 32, 3, 3, 5, 5)
        self._norm("conv1.bn", 32)
        before = 32
        for stage, blocks in enumerate(BLOCKS[depth], start=2):
            inner = 16 * 2**stage
            for number in range(1, blocks + 1):
                name = f"conv{stage}.B{number:02d}"
                temporal = stage == 2 or (number == 2 if stage == 5 else number % 2 == 1)
                self._bn_conv(f"{name}.conv_m1", inner, before, 3 if temporal else 1, 1, 1)
                self._bn_conv(f"{name}.conv_m2", inner, inner, 1, 3, 3)
                self._bn_conv(f"{name}.conv_m3", 4 * inner, inner, 1, 1, 1)
                if number == 1:
                    self._bn_conv(f"{name}.conv_w1", 4 * inner, before, 1, 1, 1)
                before = 4 * inner
                if number in UNITS[depth].get(stage, ()):
                    self._unit(f"{name}_extra", before, inner)
        self._norm("tail.bn", before)
        self.state["classifier.weight"] = torch.randn(classes, before) / before**0.5
        self.state["classifier.bias"] = torch.randn(classes)

    def _conv(self, name: str, *shape: int, bias: bool = False) -> None:
        inputs = torch.Size(shape[1:]).numel()
        self.state[f"{name}.weight"] = torch.randn(shape) / inputs**0.5
        if bias:
            self.state[f"{name}.bias"] = 0.1 * torch.randn(shape[0])

    def _norm(self, name: str, channels: int) -> None:
        self.state[f"{name}.weight"] = 0.5 + 0.5 * torch.rand(channels)
        self.state[f"{name}.bias"] = 0.1 * torch.randn(channels)
        self.state[f"{name}.running_mean"] = 0.1 * torch.randn(channels)
        self.state[f"{name}.running_var"] = 1 + torch.rand(channels)

    def _bn_conv(self, name: str, out: int, *shape: int) -> None:
        self._norm(f"{name}.bn", shape[0])
        self._conv(f"{name}.conv", out, *shape)

    def _unit(self, name: str, channels: int, nodes: int) -> None:
        self._conv(f"{name}.conv_state", 2 * nodes, channels, 1, 1, 1, bias=True)
        self._conv(f"{name}.conv_proj", nodes, channels, 1, 1, 1, bias=True)
        self._conv(f"{name}.gcn.conv1", nodes, nodes, 1, bias=True)
        self._conv(f"{name}.gcn.conv2", 2 * nodes, 2 * nodes, 1)
        self._conv(f"{name}.conv_extend", channels, 2 * nodes, 1, 1, 1)
        self._norm(f"{name}.blocker", channels)

    def _apply_norm(self, x: Tensor, name: str) -> Tensor:
        mean, var = self.state[f"{name}.running_mean"], self.state[f"{name}.running_var"]
        if self.mode != "eval":
            axes = [0, *range(2, x.dim())]
            mean, var = x.mean(axes), x.var(axes, unbiased=False)
        if self.mode == "calibrate":
            mean = mean + 0.3 * var.sqrt() * torch.randn_like(mean)
            var = var * (0.5 + torch.rand_like(var))
            self.state |= {f"{name}.running_mean": mean, f"{name}.running_var": var}
        scale = self.state[f"{name}.weight"] / torch.sqrt(var + 1e-4)
        shape = (-1, *[1] * (x.dim() - 2))
        return (x - mean.view(shape)) * scale.view(shape) + self.state[f"{name}.bias"].view(shape)

    def _apply_bn_conv(self, x: Tensor, name: str, stride: tuple[int, ...] = (1, 1, 1)) -> Tensor:
        kernel = self.state[f"{name}.conv.weight"]
        padding = tuple(size // 2 for size in kernel.shape[2:])
        return F.conv3d(self._apply_norm(x, f"{name}.bn").relu(), kernel, None, stride, padding)

    def _apply_unit(self, x: Tensor, name: str) -> Tensor:
        w = {key: self.state[f"{name}.{key}.weight"].flatten(1) for key in
             ("conv_state", "conv_proj", "gcn.conv1", "gcn.conv2", "conv_extend")}  # fmt: skip
        b = {key: self.state.get(f"{name}.{key}.bias") for key in w}
        flat = x.flatten(2)
        states = torch.einsum("sc,bcl->bsl", w["conv_state"], flat) + b["conv_state"][:, None]
        nodes = torch.einsum("nc,bcl->bnl", w["conv_proj"], flat) + b["conv_proj"][:, None]
        graph = torch.einsum("bsl,bnl->bsn", states, nodes)
        mixed = torch.einsum("mn,bsn->bsm", w["gcn.conv1"], graph) + b["gcn.conv1"]
        graph = torch.einsum("rs,bsn->brn", w["gcn.conv2"], (mixed + graph).relu())
        y = torch.einsum("cs,bsn,bnl->bcl", w["conv_extend"], graph, nodes)
        return x + self._apply_norm(y.reshape(x.shape), f"{name}.blocker")

    def __call__(self, x: Tensor) -> Tensor:
        x = F.conv3d(x, self.state["conv1.conv.weight"], None, (1, 2, 2), (1, 2, 2))
        x = F.max_pool3d(self._apply_norm(x, "conv1.bn").relu(), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        for stage, blocks in enumerate(BLOCKS[self.depth], start=2):
            for number in range(1, blocks + 1):
                name = f"conv{stage}.B{number:02d}"
                stride = {2: (1, 1, 1), 3: (2, 2, 2)}.get(stage, (1, 2, 2))
                stride = stride if number == 1 else (1, 1, 1)
                y = self._apply_bn_conv(x, f"{name}.conv_m1")
                y = self._apply_bn_conv(y, f"{name}.conv_m2", stride)
                y = self._apply_bn_conv(y, f"{name}.conv_m3")
                x = y + (self._apply_bn_conv(x, f"{name}.conv_w1", stride) if number == 1 else x)
                if number in UNITS[self.depth].get(stage, ()):
                    x = self._apply_unit(x, f"{name}_extra")
        x = self._apply_norm(x, "tail.bn").relu().mean((2, 3, 4))
        return x @ self.state["classifier.weight"].T + self.state["classifier.bias"]


@pytest.mark.slow
@pytest.mark.parametrize("depth", [50, 101])
def test_published_files_give_the_published_function(tmp_path, depth):
    official = Official(depth, classes=6)
    clip = torch.randn(2, 3, 8, 48, 48)
    # Unnormalised units raise their input to the third power: with statistics of another order
    # than the activations', numbers run away from unit to unit.
    official.mode = "calibrate"
    official(clip)
    path = tmp_path / "published.pth"
    state = {f"module.{key}": value for key, value in official.state.items()}
    torch.save({"epoch": 0, "state_dict": state}, path, _use_new_zipfile_serialization=False)
    model = create_model(f"glore_r{depth}_8x8", num_classes=6, pretrained=path)
    units = glore_units(model).values()
    assert [unit.normalize for unit in units] == [False] * 5
    for mode in ("eval", "train"):
        official.mode = mode
        model.train(mode == "train")
        model.dropout.p = 0.0
        with torch.no_grad():
            found, expected = model(clip), official(clip)
        assert 0.1 < expected.std() < 100
        torch.testing.assert_close(
            found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item()
        )
    for unit in units:
        torch.nn.init.zeros_(unit.blocker.weight)
    with torch.no_grad():
        without = model(clip)
    assert (without - expected).abs().max() > 0.01 * expected.abs().max()
