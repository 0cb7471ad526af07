"""Checkpoints: atomic, found again, safe to read."""

import errno
import io
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glore_video.engine import checkpoint as module
from glore_video.engine.checkpoint import (
    checkpoint_path,
    last_checkpoint,
    latest_readable,
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


@pytest.mark.parametrize(
    "content",
    [[1, 2], {"model_state": 3, "epoch": 1}, {"model_state": {}, "epoch": "one"}, {"epoch": 1}],
    ids=["list", "no state", "no number", "no network"],
)
def test_other_content(tmp_path, content):
    torch.save(content, tmp_path / "c.pyth")
    with pytest.raises(ValueError, match="not a checkpoint of a run"):
        read_checkpoint(tmp_path / "c.pyth")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from glore_video.engine.checkpoint import checkpoint_path, save_checkpoint
save_checkpoint(checkpoint_path(sys.argv[1], 1), {"model_state": {}, "epoch": 1})
# A limit on the size of files stops a write in its middle, as a full disk does.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
state = {"model_state": {"w": torch.zeros(1_000_000), "v": [torch.zeros(500_000)]}, "epoch": 2}
try:
    save_checkpoint(checkpoint_path(sys.argv[1], 2), state)
except OSError as error:
    print(error.errno, error)
"""


def test_write_that_stops_in_its_middle(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    number, message = done.stdout.split(" ", 1)
    assert int(number) == errno.EFBIG
    assert message.startswith(
        f"could not save {checkpoint_path(tmp_path, 2)}: File too large (6.0 MB to"
    )
    assert re.search(r"[\d.]+ MB free there\); earlier checkpoints are as they were: ", message)
    assert names_in(tmp_path / "checkpoints") == ["checkpoint_epoch_00001.pyth"]
    assert read_checkpoint(checkpoint_path(tmp_path, 1))["epoch"] == 1


@pytest.mark.parametrize("hidden", [False, True])
def test_full_disk_names_file_size_and_remedy(tmp_path, monkeypatch, hidden):
    """torch may turn the file's error into a RuntimeError of its own."""

    def fails(state, file):
        try:
            file.write(b"half")
        except OSError:
            if hidden:
                raise RuntimeError("PytorchStreamWriter failed writing file") from None
            raise

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.torch, "save", fails)
    monkeypatch.setattr(Path, "open", lambda self, mode: Full())
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_checkpoint(checkpoint_path(tmp_path, 3), STATE)
    assert caught.value.errno == errno.ENOSPC
    assert str(checkpoint_path(tmp_path, 3)) in str(caught.value)
    assert "TRAIN.KEEP_CHECKPOINTS" in str(caught.value)


def test_folder_that_takes_no_files(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(OSError, match="make its folder writable or set another OUTPUT_DIR"):
        save_checkpoint(checkpoint_path(tmp_path, 1), STATE)


def test_an_error_of_another_kind_passes_as_it_is(tmp_path):
    with pytest.raises(AttributeError, match="local"):
        save_checkpoint(checkpoint_path(tmp_path, 1), STATE | {"x": lambda: 1})
    assert names_in(tmp_path / "checkpoints") == []


def test_leftovers_of_killed_writes_go_at_the_next_save(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("checkpoint_epoch_00009.tmp", "checkpoint_best.tmp", "notes.tmp"):
        (folder / name).write_bytes(b"half")
    save_checkpoint(checkpoint_path(tmp_path, 1), STATE)
    assert names_in(folder) == ["checkpoint_epoch_00001.pyth", "notes.tmp"]


def save_three(folder):
    for epoch, step in [(1, 0), (1, 4), (2, 0)]:
        save_checkpoint(checkpoint_path(folder, epoch, step), STATE | {"epoch": epoch})
    return [checkpoint_path(folder, epoch, step) for epoch, step in [(1, 0), (1, 4), (2, 0)]]


def test_latest_readable_passes_over_damaged_ones(tmp_path, caplog):
    assert latest_readable(tmp_path / "nothing here") is None
    first, second, third = save_three(tmp_path)
    assert latest_readable(tmp_path)[0] == third
    assert caplog.messages == []
    third.write_bytes(third.read_bytes()[:-100])
    second.write_bytes(b"")
    path, state = latest_readable(tmp_path)
    assert (path, state["epoch"]) == (first, 1)
    assert [str(third) in caplog.messages[0], str(second) in caplog.messages[1]] == [True, True]
    assert caplog.messages[0].endswith("the one before it is taken")
    assert names_in(tmp_path / "checkpoints") == sorted([first.name, second.name, third.name])


def test_all_checkpoints_damaged(tmp_path):
    for path in save_three(tmp_path):
        path.write_bytes(b"half")
    with pytest.raises(ValueError, match="none of the 3 checkpoints .*TRAIN.AUTO_RESUME False"):
        latest_readable(tmp_path)
