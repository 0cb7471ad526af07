from functools import cache

import pytest
import torch
from torch import Tensor, nn

from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.module_paths import blocks_for_units
from glore_video.models.networks.stages import locate, stage_blocks
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.zoo import build_network


@cache
def network(arch: str, depth: int = 50) -> nn.Module:
    with torch.device("meta"):
        return build_network(arch, depth=depth)


@pytest.mark.parametrize(
    ("arch", "depth"),
    [("preact", 50), ("preact", 101), ("c2d", 50), ("i3d", 50), ("slow", 101), ("slowfast", 50)],
)
def test_stages_of_every_network(arch, depth):
    model = network(arch, depth)
    stages = stage_blocks(model)
    depths = [3, 4, 6 if depth == 50 else 23, 3]
    pathways = 2 if arch == "slowfast" else 1
    assert [[len(p) for p in stage] for stage in stages] == [[d] * pathways for d in depths]
    modules = dict(model.named_modules())
    assert all(path in modules for stage in stages for pathway in stage for path in pathway)


@pytest.mark.parametrize(
    ("arch", "location", "paths"),
    [
        ("preact", [[[]], [[0, 2]], [[5]], [[]]], ["conv3.B01", "conv3.B03", "conv4.B06"]),
        ("slow", [[[2]], [[]], [[0]]], ["blocks.1.res_blocks.2", "blocks.3.res_blocks.0"]),
        # C2D and I3D have a pooling layer between Res2 and Res3.
        ("i3d", [[[2]], [[0]]], ["blocks.1.res_blocks.2", "blocks.3.res_blocks.0"]),
        (
            "slowfast",
            [[[], []], [[1], [0]], [[], [5]], [[], []]],
            [
                "blocks.2.multipathway_blocks.0.res_blocks.1",
                "blocks.2.multipathway_blocks.1.res_blocks.0",
                "blocks.3.multipathway_blocks.1.res_blocks.5",
            ],
        ),
        ("tiny", [[[1]], [[0]]], ["stage1.1", "stage2.0"]),
        ("tiny", [], []),
    ],
)
def test_locate(arch, location, paths):
    assert locate(network(arch), location) == paths


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ([[[]], [[4]]], r"no block 4 in stage 1, pathway 0, whose blocks are 0 to 3 \(conv3.B01"),
        ([[[-1]]], "no block -1 in stage 0"),
        ([[[], [0]]], "2 pathways are located in stage 0, which has 1"),
        ([[[]]] * 5, "5 stages are located, the network has 4"),
    ],
)
def test_locations_that_do_not_exist(location, message):
    with pytest.raises(ValueError, match=message):
        locate(network("preact"), location)


def test_units_are_no_blocks():
    model = insert_glore(TinyResNet3d(2), after=["stage1", "stage1.0"])
    assert stage_blocks(model) == [[["stage1.0", "stage1.1"]], [["stage2.0"]]]


def test_foreign_networks_are_named():
    with pytest.raises(ValueError, match="stages of a Sequential are not known"):
        stage_blocks(nn.Sequential(nn.Conv3d(3, 4, 1)))


class _TokensAndSize(nn.Module):
    """A block like MViT's: tokens and their sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: tuple[Tensor, list[int]]) -> tuple[Tensor, list[int]]:
        return x[0] + self.mlp(self.norm(x[0])), x[1]


class _Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.blocks = nn.Sequential(_TokensAndSize(), _TokensAndSize())

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x)
        return self.blocks((x.flatten(2).transpose(1, 2), list(x.shape[2:])))[0].mean(1)


class _Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def _sequence_of_layers(pooled: bool) -> nn.Module:
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3), nn.ReLU()]
    if not pooled:
        return nn.Sequential(*layers)
    # As in timm's VGG, whose classifier starts with a block on one position.
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), _Head())


@pytest.mark.parametrize("pooled", [False, True])
def test_single_layers_where_no_block_has_more(pooled):
    model = _sequence_of_layers(pooled)
    found = blocks_for_units(model, (3, 9, 12))
    several = {path: where for path, where in found.items() if where[1] != "1 x 1"}
    assert several == {
        "0": ((4, 2, "channels_first"), "7 x 10"),
        "2": ((8, 2, "channels_first"), "5 x 8"),
    }
    insert_glore(model, after=["2"])
    assert {*blocks_for_units(model, (3, 9, 12))} == {*found}


def test_modules_of_two_layers_where_blocks_return_several_tensors():
    model = _Tokens()
    found = blocks_for_units(model, (3, 16, 20))
    assert found == {f"blocks.{i}.mlp": ((8, 1, "channels_last"), "20") for i in range(2)}
    after = list(found)
    insert_glore(model, after=after, example=torch.zeros(1, 3, 16, 20))
    assert model(torch.zeros(2, 3, 16, 20)).shape == (2, 8)
