"""What README and docs say can be typed: their Python runs, and the files and keys they name are there."""

import dataclasses
import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from encoded_videos import encode
from picture_corpus import indices, scene
from PIL import Image

import glore_video
from glore_video.config import Config, flatten
from glore_video.models import TinyResNet3d
from glore_video.models.weights import published

ROOT = Path(__file__).parents[1]
PAGES = {
    path.name: path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
TEXT = "\n".join(PAGES.values())
SNIPPETS = {
    f"{name} {number}": snippet
    for name, text in PAGES.items()
    for number, snippet in enumerate(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
}


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Files as their publishers lay them out, of random weights, by the name of their network."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    state = glore_video.create_model("glore_r50_8x8").state_dict()
    state = {f"module.{key.replace('.glore.', '_extra.')}": value for key, value in state.items()}
    glore = folder / "resnet50-lite_3d_8x8_w-glore_2-3_ep-0000.pth"
    torch.save({"state_dict": state}, glore)
    slow = folder / "SLOW_8x8_R50.pyth"
    torch.save({"model_state": glore_video.create_model("slow_r50").state_dict()}, slow)
    return {"glore_r50_8x8": glore, "slow_r50": slow}


@pytest.mark.slow
@pytest.mark.parametrize("name", SNIPPETS)
def test_python_snippet(name, tmp_path, monkeypatch, served, tiny_checkpoint):
    monkeypatch.setenv("GLORE_VIDEO_CACHE", str(tmp_path / "cache"))
    for network, path in served.items():
        entry = dataclasses.replace(published.PUBLISHED[network], url=path.as_uri())
        monkeypatch.setitem(published.PUBLISHED, network, entry)
        os.link(path, tmp_path / path.name)
    # The restricted unpickler has tests of its own; here the name stands for any of the files.
    os.link(served["slow_r50"], tmp_path / "SLOWONLY_8x8_R50.pkl")
    encode(tmp_path / "video.mp4", numbers=range(20))
    Image.fromarray(scene()).save(tmp_path / "street.jpg")
    Image.fromarray(indices(19)).save(tmp_path / "street_mask.png")
    run = tmp_path / "outputs" / "quickstart_same_glore"
    shutil.copytree(tiny_checkpoint.parents[1], run)
    inside_checkout = "torch.hub" in SNIPPETS[name]
    monkeypatch.chdir(ROOT if inside_checkout else tmp_path)
    exec(SNIPPETS[name], {"glore_video": glore_video, "model": TinyResNet3d(2)})


def test_configs_are_there():
    names = set(re.findall(r"configs/(\w+)\.yaml", TEXT)) | set(re.findall(r"`(k400_\w+)`", TEXT))
    assert len(names) >= 6
    assert [
        name for name in sorted(names) if not (ROOT / "configs" / f"{name}.yaml").is_file()
    ] == []


def test_keys_are_there():
    keys = set(re.findall(r"\b[A-Z][A-Z_]+\.[A-Z_]+\b", TEXT))
    assert len(keys) >= 6
    names = [name for name, _ in flatten(Config())]
    groups = {key for key in keys if key.endswith("_")}
    assert keys - groups <= set(names)
    assert all(any(name.startswith(group) for name in names) for group in groups)


def test_pages_that_are_linked_are_there():
    for name, text in PAGES.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (folder / target).is_file(), f"{name}: {target}"


def test_readme_lists_every_page():
    listed = set(re.findall(r"\(docs/(\w+\.md)\)", PAGES["README.md"]))
    assert listed == PAGES.keys() - {"README.md"}
