"""Every file in configs/ loads, and says in its head how it is run."""

from pathlib import Path

import pytest

from glore_video.config import load_config

FOLDER = Path(__file__).parents[2] / "configs"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if not path.stem.endswith("_base"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_config(path):
    config = load_config(path)
    assert path.stem in config.OUTPUT_DIR
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f"tools/run_net.py --cfg configs/{path.name}" in head
    assert "top-1" in head
