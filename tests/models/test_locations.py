from functools import cache

import pytest
import torch
from torch import nn

from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.module_paths import locate, stage_blocks
from glore_video.models.networks.tiny3d import TinyResNet3d
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
