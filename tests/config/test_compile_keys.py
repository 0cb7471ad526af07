"""MODEL.COMPILE, which was once True or False, and MODEL.COMPILE_MODE."""

import pytest

from glore_video.config import Config, changes, load_config, to_yaml
from glore_video.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [("all", "all"), ("units", "units"), ("''", ""), ("", ""), ("True", "all"), ("False", "")],
)
def test_values(tmp_path, text, value):
    assert load_config(pairs=["MODEL.COMPILE", text]).MODEL.COMPILE == value
    file = tmp_path / "some.yaml"
    file.write_text(f"MODEL:\n  COMPILE: {text or repr('')}\n")
    config = load_config(file)
    assert config.MODEL.COMPILE == value
    file.write_text(to_yaml(config))
    assert load_config(file) == config


@pytest.mark.parametrize("value", ["unit", "2", "[all]", "None"])
def test_a_wrong_value_is_told_the_choices(value):
    with pytest.raises(UsageError, match=r"^MODEL.COMPILE = .*'', 'all' or 'units'$"):
        load_config(pairs=["MODEL.COMPILE", value])


@pytest.mark.parametrize(("was", "now"), [(True, "all"), (False, "")])
def test_a_run_that_said_yes_or_no_goes_on_without_a_change(was, now):
    before = Config().model_dump(mode="json")
    before["MODEL"]["COMPILE"] = was
    del before["MODEL"]["COMPILE_MODE"]
    assert Config.model_validate(before).MODEL.COMPILE == now
    assert changes(before, load_config(pairs=["MODEL.COMPILE", now])) == []


def test_a_change_binds_nothing():
    before = Config().model_dump(mode="json")
    before["MODEL"]["COMPILE"] = True
    (change,) = changes(before, load_config(pairs=["MODEL.COMPILE", "units"]))
    assert not change.binding
    assert str(change) == "MODEL.COMPILE = 'units', was 'all'"


def test_modes():
    pairs = ["MODEL.COMPILE", "all", "MODEL.COMPILE_MODE"]
    assert load_config(pairs=[*pairs, "reduce-overhead"]).MODEL.COMPILE_MODE == "reduce-overhead"
    with pytest.raises(UsageError, match=r"^MODEL.COMPILE_MODE = 'fast': .*'reduce-overhead'"):
        load_config(pairs=[*pairs, "fast"])
    with pytest.raises(
        UsageError, match=r"^MODEL.COMPILE_MODE = max-autotune .* MODEL.COMPILE all"
    ):
        load_config(pairs=["MODEL.COMPILE_MODE", "max-autotune"])
    with pytest.raises(UsageError, match=r"records CUDA graphs, .* MODEL.COMPILE all \(is units\)"):
        load_config(pairs=["MODEL.COMPILE", "units", "MODEL.COMPILE_MODE", "reduce-overhead"])
