from dataclasses import replace

import pytest
import torch
from torch import nn

from glore_video.models.deployment.complexity import Complexity, Cost
from glore_video.models.deployment.complexity_table import (
    CostRow,
    TrainingMemory,
    markdown,
    measure,
    text,
)
from glore_video.models.deployment.saved_memory import (
    GLORE_UNITS,
    NONLOCAL_BLOCKS,
    SavedMemory,
    count_saved,
)
from glore_video.models.networks.inserted_units import glore_units
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.preact_resnet3d import PreactResNet3d
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.weights.published import Published

PUBLISHED = Published(
    "https://host/w", "somebody", 71.46, 89.68, 30, 256, 8, gmacs=25.89, parameters=24.33
)
COUNTED = Complexity(
    total=Cost(30.0, 77.5, 33_732_000),
    parts={"stem": Cost(10.0, 50.0, 7_000), "stage": Cost(20.0, 27.5, 33_725_000), "drop": Cost()},
    units=Cost(6.5, 14.0, 5_750_000),
    skipped_ops={"cumsum": 2},
    elementwise_ops={"add": 26, "relu": 3},
)
LABELS = {"stem": "stem", "stage": "Res2 (stage)", "drop": "drop"}
PARTS = {"stem": 40_000_000, "stage": 20_250_000, "drop": 0}
MEMORY = TrainingMemory(
    shape=(3, 8, 224, 224),
    float32=SavedMemory(
        sum(PARTS.values()) + 500_000,
        {**PARTS, "loss": 500_000},
        {GLORE_UNITS: 3_000_000, NONLOCAL_BLOCKS: 1_000_000},
        0,
    ),
    bf16=SavedMemory(
        31_000_000,
        {"stem": 20_000_000, "stage": 10_500_000, "loss": 500_000},
        {GLORE_UNITS: 1_500_000, NONLOCAL_BLOCKS: 500_000},
        9_000_000,
    ),
    step="a step of 8 clips",
)
ROW = CostRow("net", (3, 8, 256, 256), 30, COUNTED, 28.0, LABELS, MEMORY, PUBLISHED)


def test_text():
    assert text(ROW).splitlines() == [
        "net: 3 x 8 x 256 x 256, 30 views",
        "                                     GMACs  activations M  parameters M   saved MB  in bf16",
        "stem                                10.000          50.00         0.007      40.00    20.00",
        "Res2 (stage)                        20.000          27.50        33.725      20.25    10.50",
        "loss                                 0.000           0.00         0.000       0.50     0.50",
        "one view                            30.000          77.50        33.732      60.75    31.00",
        "of this in units                     6.500          14.00         5.750       4.00     2.00",
        "of this in non-local blocks                                                   1.00     0.50",
        "one view as it runs                 28.000  (units reordered)",
        "30 views                             900.0",
        "published                            25.89                        24.33",
        "published top-1 / top-5: 71.46 / 89.68 (somebody, 30 views)",
        "saved: for the backward pass of each input of 3 x 8 x 224 x 224 in training on a GPU, "
        "computed, 1e6 bytes",
        "a step of 8 clips",
        "NOT COUNTED: cumsum 2",
        "not counted, elementwise: add 26, relu 3",
    ]


def test_text_where_memory_is_not_known():
    lines = text(replace(ROW, training="its shapes depend on numbers")).splitlines()
    assert lines[1] == "                                     GMACs  activations M  parameters M"
    assert lines[2] == "stem                                10.000          50.00         0.007"
    assert "memory in training is not known: its shapes depend on numbers" in lines


def test_markdown():
    plain = Complexity(Cost(1.0, 2.0, 3_000_000), {}, Cost(), {}, {"add": 1, "silu": 1})
    unknown = CostRow("plain", (3, 32, 224, 224), 1, plain, 1.0, {}, "not known")
    lines = markdown([ROW, unknown]).splitlines()
    columns = {line.count("|") for line in lines[:4]}
    assert columns == {10}
    assert lines[2] == (
        "| net | 8 x 256² | 33.73 | 30.00 x 30 | 77.5 | 61, 31 of 8 x 224² "
        "| 5.75, 6.50 (4.50 as run) | 24.33, 25.89 | 71.46 / 89.68 |"
    )
    assert lines[3] == "| plain | 32 x 224² | 3.00 | 1.00 x 1 | 2.0 | - | - | - | - |"
    assert lines[5].endswith("not counted: add, relu, silu, activation functions and reshapes.")
    assert lines[6] == "**Not counted, though they may multiply-add: cumsum.**"


def test_units_are_counted_in_both_orders():
    model = insert_glore(TinyResNet3d(3), after=["stage1.0"], nodes=2, states=16)
    unit = glore_units(model)["stage1.0.glore"]
    row = measure("tiny", model, shape=(3, 4, 32, 32), views=1)
    assert unit.order == "auto"
    positions, norm = 4 * 8 * 8, 2 * 32 * 4 * 8 * 8
    over_positions = 32 * (2 + 16 + 16) + 2 * 2 * 16
    graph = 2 * 2 * 16 + 16 * 16 * 2
    expected = over_positions * positions + graph + norm
    assert row.complexity.units.gmacs * 1e9 == pytest.approx(expected)
    assert row.gmacs_as_run < row.complexity.gmacs
    assert row.published is None
    assert row.training == TrainingMemory(
        (3, 4, 32, 32),
        count_saved(model.train(), (3, 4, 32, 32)),
        count_saved(model, (3, 4, 32, 32), amp_dtype=torch.bfloat16),
    )


def test_parts_add_up_and_have_the_names_of_stages():
    model = PreactResNet3d(50, num_classes=3)
    row = measure("preact", model, shape=(3, 2, 32, 32), views=1, training="not counted here")
    assert list(row.labels.values())[:6] == [
        "conv1",
        "Res2 (conv2)",
        "Res3 (conv3)",
        "Res4 (conv4)",
        "Res5 (conv5)",
        "tail",
    ]
    total = sum(row.complexity.parts.values(), Cost())
    assert total.gmacs == pytest.approx(row.complexity.gmacs)
    assert total.parameters == row.complexity.parameters
    assert total.activations == pytest.approx(row.complexity.total.activations)


def test_activations_by_hand():
    model = nn.Sequential(nn.Conv3d(3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8, 5))
    row = measure("toy", model, shape=(3, 2, 2, 2), views=1)
    assert row.complexity.total.activations * 1e6 == pytest.approx(4 * 8 + 5)
