"""Checkpoints: atomic, found again, safe to read."""

import pickle

import pytest
import torch

from glore_video.engine import checkpoint as module
from glore_video.engine.checkpoint import (
    checkpoint_path,
    last_checkpoint,
    read_checkpoint,
    remove_old_checkpoints,
    resolve_checkpoint,
    save_checkpoint,
)

STATE = {"model_state": {"w": torch.arange(3)}, "epoch": 7, "class_names": ["a"]}


def test_saved_and_read(tmp_path):
    path = checkpoint_path(tmp_path / "o ü", 7)
    assert path.name == "checkpoint_epoch_00007.pyth"
    save_checkpoint(path, STATE)
    state = read_checkpoint(path)
    assert torch.equal(state["model_state"]["w"], torch.arange(3))
    assert state["class_names"] == ["a"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = checkpoint_path(tmp_path, 1)
    save_checkpoint(path, STATE)

    def fails(state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.torch, "save", fails)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, STATE)
    assert read_checkpoint(path)["epoch"] == 7
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_last_is_the_latest_epoch(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for epoch in (9, 10, 100000):
        checkpoint_path(tmp_path, epoch).parent.mkdir(exist_ok=True)
        checkpoint_path(tmp_path, epoch).touch()
    (tmp_path / "checkpoints" / "checkpoint_epoch_99999999.tmp").touch()
    assert last_checkpoint(tmp_path) == checkpoint_path(tmp_path, 100000)
    assert resolve_checkpoint(tmp_path, key="K") == checkpoint_path(tmp_path, 100000)


def test_a_checkpoint_within_an_epoch_is_later_than_the_one_before_it(tmp_path):
    for epoch, step in [(2, 0), (2, 10), (2, 9), (1, 500)]:
        save_checkpoint(checkpoint_path(tmp_path, epoch, step), STATE)
    assert last_checkpoint(tmp_path) == checkpoint_path(tmp_path, 2, 10)


def names_left(tmp_path, *, keep):
    remove_old_checkpoints(tmp_path, keep=keep)
    return sorted(path.name for path in (tmp_path / "checkpoints").iterdir())


def test_old_checkpoints_are_removed(tmp_path):
    for epoch, step in [(1, 0), (1, 7), (2, 0), (3, 0), (3, 5)]:
        save_checkpoint(checkpoint_path(tmp_path, epoch, step), STATE)
    last = "checkpoint_epoch_00003_step_0000005.pyth"
    whole = [f"checkpoint_epoch_{n:05d}.pyth" for n in (1, 2, 3)]
    assert names_left(tmp_path, keep=0) == sorted([*whole, last])
    assert names_left(tmp_path, keep=2) == sorted([*whole[1:], last])


def test_url_is_left_to_the_loader():
    assert resolve_checkpoint("https://x.org/a.pth", key="K") == "https://x.org/a.pth"


def test_missing_checkpoint_names_the_key(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"TEST\.X = .*none: no such file or folder"):
        resolve_checkpoint(tmp_path / "none", key="TEST.X")
    with pytest.raises(FileNotFoundError, match="holds no checkpoints"):
        resolve_checkpoint(tmp_path, key="TEST.X")


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_code_is_never_run(tmp_path, capsys):
    (tmp_path / "evil.pyth").write_bytes(pickle.dumps({"model_state": Evil(), "epoch": 1}))
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "evil.pyth")
    torch.save({"model_state": Evil(), "epoch": 1}, tmp_path / "evil2.pyth")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "evil2.pyth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"half a file"])
def test_damaged_file(tmp_path, content):
    (tmp_path / "c.pyth").write_bytes(content)
    with pytest.raises(ValueError, match=r"c\.pyth: not a readable checkpoint"):
        read_checkpoint(tmp_path / "c.pyth")


def test_truncated_file(tmp_path):
    path = checkpoint_path(tmp_path, 1)
    save_checkpoint(path, STATE)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_checkpoint(path)


def test_other_content(tmp_path):
    torch.save([1, 2], tmp_path / "c.pyth")
    with pytest.raises(ValueError, match="not a checkpoint of a run"):
        read_checkpoint(tmp_path / "c.pyth")
