"""What a later source says of the network takes the place of what a file below it says otherwise."""

from pathlib import Path

import pytest

from glore_video.config import load_config
from glore_video.errors import UsageError

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    "name", ["k400_glore_r50", "k400_glore_slow_r50", "k400_glore_r50_finetune"]
)
def test_a_network_by_name_takes_the_place_of_a_shipped_one(name, caplog):
    caplog.set_level("INFO")
    pairs = ["MODEL.NAME", "torchvision/video/r3d_18", "GLORE.AFTER", "[layer3.*]"]
    config = load_config(CONFIGS / f"{name}.yaml", pairs)
    assert config.MODEL.NAME == "torchvision/video/r3d_18"
    assert config.GLORE.AFTER == ("layer3.*",)
    assert config.GLORE.LOCATION == ()
    assert config.TRAIN.CHECKPOINT_FILE_PATH == ""
    assert "MODEL.NAME takes the place of" in caplog.text


def test_units_by_path_take_the_place_of_units_by_stage_and_back(tmp_path):
    config = load_config(CONFIGS / "k400_glore_r50.yaml", ["GLORE.AFTER", "[conv3.*]"])
    assert (config.GLORE.LOCATION, config.GLORE.AFTER) == ((), ("conv3.*",))
    (tmp_path / "a.yaml").write_text("GLORE: {AFTER: [conv3.B01]}\n")
    (tmp_path / "b.yaml").write_text("_BASE_: a.yaml\nGLORE: {LOCATION: [[], [[0]]]}\n")
    config = load_config(tmp_path / "b.yaml")
    assert (config.GLORE.LOCATION, config.GLORE.AFTER) == (((), ((0,),)), ())


@pytest.mark.parametrize(
    "pairs",
    [
        ["GLORE.AFTER", "[conv3.*]", "GLORE.LOCATION", "[[[0]]]"],
        ["GLORE.LOCATION", "[[[0]]]", "GLORE.AFTER", "[conv3.*]"],
    ],
    ids=["path first", "stage first"],
)
def test_what_one_source_says_twice_is_refused(pairs):
    with pytest.raises(UsageError, match="GLORE.AFTER and GLORE.LOCATION exclude each other"):
        load_config(CONFIGS / "k400_glore_r50.yaml", pairs)


def test_quotes_that_a_shell_has_left_are_an_empty_text():
    pairs = ["TRAIN.CHECKPOINT_FILE_PATH", "''"]
    assert (
        load_config(CONFIGS / "k400_glore_r50_finetune.yaml", pairs).TRAIN.CHECKPOINT_FILE_PATH
        == ""
    )


def test_units_by_count_take_the_place_of_units_by_stage_and_by_path():
    config = load_config(CONFIGS / "k400_glore_r50.yaml", ["GLORE.UNITS", "[0, 3]"])
    assert (config.GLORE.LOCATION, config.GLORE.AFTER, config.GLORE.UNITS) == ((), (), (0, 3))
    name = ["MODEL.NAME", "torchvision/video/r3d_18"]
    config = load_config(None, ["GLORE.UNITS", "[1, 1]", *name])
    assert (config.GLORE.UNITS, config.MODEL.NAME) == ((1, 1), "torchvision/video/r3d_18")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            ["GLORE.UNITS", "[3]"],
            r"GLORE.UNITS.*two numbers are expected, units on Res3 and on Res4",
        ),
        (["GLORE.UNITS", "[0, -1]"], "GLORE.UNITS"),
        (["GLORE.UNITS", "[0, True]"], "GLORE.UNITS.*not a truth value"),
        (["GLORE.UNITS", "3"], "GLORE.UNITS"),
        (["NONLOCAL.UNITS", "[3]"], "NONLOCAL.UNITS.*two numbers are expected"),
        (
            ["NONLOCAL.UNITS", "[0, 3]", "NONLOCAL.AFTER", "[layer3.0]"],
            "NONLOCAL.UNITS and NONLOCAL.AFTER exclude each other",
        ),
        (
            ["GLORE.UNITS", "[0, 3]", "GLORE.AFTER", "[conv3.*]"],
            "GLORE.UNITS and GLORE.AFTER exclude each other",
        ),
        (
            ["GLORE.UNITS", "[0, 3]", "GLORE.LOCATION", "[[[0]]]"],
            "GLORE.UNITS and GLORE.LOCATION exclude each other",
        ),
    ],
)
def test_counts_that_are_refused(pairs, message):
    with pytest.raises(UsageError, match=message):
        load_config(CONFIGS / "k400_glore_r50.yaml", pairs)


def test_options_of_another_form_of_the_unit_are_refused():
    assert load_config(None, ["GLORE.FORM", "preactivated"]).GLORE.FORM == "preactivated"
    for pair in (["GLORE.END", "gamma"], ["GLORE.RELU", "False"]):
        assert load_config(None, pair)
        with pytest.raises(UsageError, match=f"{pair[0]} is of GLORE.FORM post"):
            load_config(None, ["GLORE.FORM", "preactivated", *pair])
    with pytest.raises(UsageError, match=r"GLORE.SCALE"):
        load_config(None, ["GLORE.SCALE", "0"])
