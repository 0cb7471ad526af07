"""A disk that is full: one line that names the file, and no numbers lost without a word."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from run_files import flat

from glore_video.cli.guarding import guarded
from glore_video.cli.main import main
from glore_video.engine import run_log
from glore_video.engine.run_log import MetricsLog
from glore_video.errors import FileError, UsageError, is_users, writing
from glore_video.files.whole_files import replace_file
from glore_video.models import save_weights

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")


def said(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_log_that_can_not_be_written_is_said_once(cfg, options, capsys):
    out = options["OUTPUT_DIR"]
    out.mkdir()
    (out / "log.txt").symlink_to(FULL)
    assert main([*cfg, *flat(options)]) == 0
    lines = said(capsys)
    assert [line for line in lines if "can't be written" in line or "Traceback" in line] == [
        next(
            line
            for line in lines
            if f"E {out / 'log.txt'} can't be written: No space left on device; the run goes on"
            in line
        )
    ]
    assert (out / "test" / "summary.json").is_file()


def test_metrics_that_can_not_be_written_are_said_at_once_and_at_the_end(tmp_path, monkeypatch):
    (tmp_path / "metrics.jsonl").symlink_to(FULL)
    lines = []
    monkeypatch.setattr(run_log.logger, "error", lambda *words: lines.append(words[0] % words[1:]))
    log = MetricsLog(tmp_path, tensorboard=False)
    log.write("train_iter", step=1, loss=0.5)
    log.write("train_iter", step=2, loss=0.4)
    (line,) = lines
    assert line.endswith(
        "metrics.jsonl could not be written: No space left on device; the run goes on"
    )
    with pytest.raises(FileError, match=r"metrics\.jsonl could not be written: No space left"), log:
        pass


def test_what_could_not_be_written_comes_when_there_is_room(tmp_path):
    """Whole lines, each once, also where a part of one could be written."""

    class Narrow:
        """Takes 10 bytes, then none until there is room."""

        def __init__(self, file):
            self.file, self.name, self.room = file, file.name, 10

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = self.file.write(data[: self.room])
            self.room -= taken
            return taken

        def close(self):
            self.file.close()

    with MetricsLog(tmp_path, tensorboard=False) as log:
        narrow = log._file = Narrow(log._file)
        for step in (1, 2, 3):
            log.write("train_iter", step=step, loss=0.5)
        narrow.room = 10**6
        log.write("train_iter", step=4, loss=0.5)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]


def test_damaged_lines_of_the_metrics_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n\x00\x00\x00\n[3]\n\xff\xfe\n{"step": 2}\n{"step": 3}\n{"st')
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.forget_after(2)
        log.write("train_iter", step=3)
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == [1, 2, 3]


def test_a_file_that_is_written_whole_names_itself(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(FileError, match=r"scores\.npz could not be written: No space left on"):
        replace_file(tmp_path / "scores.npz", b"1")
    assert list(tmp_path.iterdir()) == []


def test_weights(tmp_path):
    (tmp_path / "small.pyth").symlink_to(FULL)
    with pytest.raises(FileError, match=r"small\.pyth could not be written: No space left"):
        save_weights(torch.nn.Linear(2, 2), tmp_path / "small.pyth")


def test_errors_that_name_a_file_stay_as_they_are():
    with pytest.raises(FileNotFoundError) as caught, writing("other"):
        Path("/no/such/folder/file").write_text("")
    assert not isinstance(caught.value, UsageError)
    assert is_users(caught.value)
    with pytest.raises(UsageError, match="^--x$"), writing("other"):
        raise UsageError("--x")


def test_a_full_disk_that_nobody_foresaw_says_where(capsys):
    def work():
        with FULL.open("w") as file:
            file.write("x" * 100_000)

    assert guarded(work) == 2
    (line,) = said(capsys)
    assert line.startswith("error: No space left on device (")
    assert f"{Path(__file__).name}:" in line
