"""The paper's table for ImageNet."""

from dataclasses import replace

import pytest

from glore_video.cli.complexity import main
from glore_video.models.deployment import imagenet_table
from glore_video.models.deployment.complexity import Complexity, Cost
from glore_video.models.deployment.imagenet_table import (
    CountedRow,
    count_row,
    imagenet_markdown,
    imagenet_text,
)
from glore_video.models.weights import published_imagenet
from glore_video.models.weights.published_imagenet import IMAGENET_ROWS, ImageNetRow


def counted(gmacs, parameters):
    return Complexity(Cost(gmacs, 1.0, parameters), {}, Cost(), {}, {})


PLAIN = ImageNetRow(
    title="Net",
    units=(0, 0),
    host="torchvision/resnet18",
    top1=76.2,
    parameters=25.56,
    gmacs=4.09,
    host_top1=69.76,
    host_weights="somebody's",
)
WITH_UNITS = replace(
    PLAIN, units=(2, 3), own="preact_resnet50_2d", top1=78.2, host_top1=None, host_weights=""
)
ROWS = [
    CountedRow(PLAIN, counted(4.11, 25_557_032), None),
    CountedRow(WITH_UNITS, counted(5.98, 31_300_000), counted(5.987, 31_314_216)),
]


def test_markdown():
    lines = imagenet_markdown(ROWS).splitlines()
    assert {line.count("|") for line in lines[:4]} == {12}
    assert lines[2] == "| Net | - | 25.56 | 4.11 | - | - | 25.56 | 4.09 | 76.2 | - | 69.76 |"
    assert lines[3] == (
        "| Net | (2, 3) | 31.30 | 5.98 | 31.31 | 5.99 | 25.56 | 4.09 | 78.2 | - | - |"
    )
    assert lines[-1].endswith(
        "not measured here: by the paper, by MindSpore's port of it, and for "
        "the host's plain weights. Weights of the hosts: Net somebody's."
    )


def test_text_stands_in_columns():
    lines = imagenet_text(ROWS).splitlines()
    assert lines[1].split() == [
        "Net",
        "-",
        "25.56",
        "4.11",
        "-",
        "-",
        "25.56",
        "4.09",
        "76.2",
        "-",
        "69.76",
    ]
    assert len({line.find("25.56  4.09") for line in lines[1:3]}) == 1


def test_rows_are_those_of_the_paper():
    top1 = {(row.title, row.units): row.top1 for row in IMAGENET_ROWS if row.top1}
    assert top1 == {
        ("ResNet-50", (0, 0)): 76.2,
        ("ResNet-50", (0, 3)): 78.4,
        ("ResNet-50", (2, 3)): 78.2,
        ("SE-ResNet-50", (0, 0)): 77.2,
        ("SE-ResNet-50", (0, 3)): 78.7,
        ("ResNet-200", (0, 3)): 79.4,
        ("ResNet-200", (2, 3)): 79.7,
        ("ResNeXt-101 32x4d", (2, 3)): 79.8,
        ("DPN-98", (2, 3)): 80.2,
        ("DPN-131", (2, 3)): 80.3,
    }
    assert len({(row.title, row.units) for row in IMAGENET_ROWS}) == len(IMAGENET_ROWS)


@pytest.mark.slow
def test_counts_are_the_papers():
    pytest.importorskip("timm", reason="timm is not installed")
    rows = [row for row in IMAGENET_ROWS if row.gmacs]
    assert [row.units for row in rows] == [(0, 0), (0, 3), (2, 3)]
    for row in rows:
        found = count_row(row)
        assert found.host.parameters / 1e6 == pytest.approx(row.parameters, abs=0.005)
        for cost in (found.host, found.own):
            assert cost.gmacs == pytest.approx(row.gmacs, rel=0.01)


@pytest.mark.parametrize("markdown", [False, True])
def test_the_command(capsys, monkeypatch, markdown):
    small = [replace(PLAIN, host="torchvision/resnet18", units=(0, 1))]
    monkeypatch.setattr(published_imagenet, "IMAGENET_ROWS", small)
    monkeypatch.setattr(imagenet_table, "_SHAPE", (3, 32, 32))
    assert main(["--table", "imagenet", *(["--markdown"] if markdown else [])]) == 0
    lines = capsys.readouterr().out.splitlines()
    # ResNet-18 and one unit of 256 channels, 64 nodes, 128 states.
    unit = 2 * 256 * 128 + 256 * 64 + 128 * 128 + 64 * 64 + 128 + 64 + 64 + 2 * 256
    assert f"{(11_689_512 + unit) / 1e6:.2f}" in lines[2 if markdown else 1]
    assert lines[0].startswith("| network |" if markdown else "network ")


@pytest.mark.parametrize("other", [["--model", "slow_r50"], ["--crop", "64"], ["--cfg", "a.yaml"]])
def test_the_table_says_which_networks(capsys, other):
    with pytest.raises(SystemExit) as end:
        main(["--table", "imagenet", *other])
    assert end.value.code == 2
    assert "--table says which networks and inputs" in capsys.readouterr().err
