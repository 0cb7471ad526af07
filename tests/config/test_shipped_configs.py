"""Every file in configs/ loads by its name, and says in its head how it is run."""

from pathlib import Path

import pytest

from glore_video.config import load_config, shipped_configs

FOLDER = Path(__file__).parents[2] / "configs"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if not path.stem.endswith("_base"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_config(path):
    config = load_config(path)
    assert path.stem in config.OUTPUT_DIR
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f"tools/run_net.py --cfg configs/{path.name}" in head
    assert ("mIoU" if config.TASK == "segmentation" else "top-1") in head
    assert load_config(path.stem) == config
    assert load_config(path.name) == config


def test_names_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("k400_glore_r50").RESNET.DEPTH == 50
    (tmp_path / "quickstart").mkdir()  # as of a run; a folder is no configuration
    assert load_config("quickstart").SYNTHETIC.LABELS == "pair"
    (tmp_path / "quickstart.yaml").write_text("RNG_SEED: 7\n")  # what is there goes before
    assert load_config("quickstart.yaml").RNG_SEED == 7
    assert load_config("quickstart").RNG_SEED == 0


def test_a_file_of_ones_own_may_start_from_a_name(tmp_path):
    (tmp_path / "mine.yaml").write_text("_BASE_: k400_glore_r50\nRNG_SEED: 7\n")
    mine, base = load_config(tmp_path / "mine.yaml"), load_config("k400_glore_r50")
    assert (mine.RNG_SEED, mine.GLORE) == (7, base.GLORE)
    (tmp_path / "k400_glore_r50").write_text("RNG_SEED: 8\n")  # the file beside it goes before
    (tmp_path / "yours.yaml").write_text("_BASE_: k400_glore_r50\n")
    assert load_config(tmp_path / "yours.yaml").RNG_SEED == 8


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("quickstrat", "did you mean quickstart"),
        ("k400_glore_r5", "did you mean k400_glore_r50 or"),
        ("configs/quickstart.yaml", "did you mean quickstart, which the package has?"),
        ("mine.yml", "did you mean mine.yaml?"),
        ("zzz", "--list-configs lists those that the package has"),
    ],
)
def test_an_unknown_name_lists_the_near_ones(name, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(FileNotFoundError, match=f"^{name}: no such configuration file; .*{hint}"):
        load_config(name)


def test_the_list_says_what_each_is():
    found = shipped_configs()
    assert list(found) == [path.stem for path in FILES]
    assert found["k400_preact_r50"] == "The paper's plain R50, without units."
