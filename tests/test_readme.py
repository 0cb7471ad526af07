"""What the README says can be typed: its Python runs, and the files and keys it names are there."""

import re
from pathlib import Path

import pytest
from encoded_videos import encode

import glore_video
from glore_video.config import Config, flatten
from glore_video.models import TinyResNet3d

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_python_snippet(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "video.mp4", numbers=range(20))
    exec(SNIPPETS[number], {"glore_video": glore_video, "model": TinyResNet3d(2)})


def test_configs_are_there():
    names = set(re.findall(r"configs/(\w+)\.yaml", README)) | set(
        re.findall(r"`(k400_\w+)`", README)
    )
    assert len(names) >= 6
    assert [
        name for name in sorted(names) if not (ROOT / "configs" / f"{name}.yaml").is_file()
    ] == []


def test_keys_are_there():
    keys = set(re.findall(r"\b[A-Z][A-Z_]+\.[A-Z_]+\b", README))
    assert len(keys) >= 6
    assert keys <= {name for name, _ in flatten(Config())}
