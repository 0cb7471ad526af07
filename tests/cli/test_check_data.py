"""The command as it is called: output, exit status, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from encoded_videos import encode

from glore_video.cli.check_data import main
from glore_video.data.video.manifest import read_rows

TOOL = Path(__file__).parents[2] / "tools" / "check_data.py"


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "my dâta"
    root.mkdir()
    encode(root / "a b.mp4", numbers=range(60), gop=60)
    (root / "bad.mp4").write_text("no video")
    (root / "list.csv").write_text("a b.mp4 3\nbad.mp4 4\ngone.mp4 5\n")
    return root


def test_a_list(data, capsys):
    (data / "names.txt").write_text("a b\nbad\ngone\nother\n")
    arguments = [str(data / "list.csv"), "--processes", "1", "--against", str(data / "names.txt")]
    assert main(arguments) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "fine                1   33.33%"
    assert out[2] == "unreadable          1   33.33%"
    assert out[3] == "missing             1   33.33%"
    assert any(line.startswith("  gone.mp4: no such file") for line in out)
    assert any("H.264: a keyframe at least every 60 frames, short side 64" in line for line in out)
    assert any("of the 4 videos of" in line and "2 are missing; 0 videos" in line for line in out)
    assert out[-2] == f"wrote {data / 'list.manifest.csv'}"
    assert out[-1].startswith("no run takes it under this name: it must be train.csv, val.csv or")
    assert (data / "list.manifest.csv.missing.txt").read_text() == "gone\nother\n"
    assert [row.status for row in read_rows(data / "list.manifest.csv")] == [
        "ok",
        "unreadable",
        "missing",
    ]


def test_a_folder_with_the_manifest_elsewhere(data, tmp_path, capsys):
    assert main([str(data), "--out", str(tmp_path / "new" / "train.csv")]) == 0
    rows = list(read_rows(tmp_path / "new" / "train.csv"))
    assert [row.path for row in rows] == [str(data / "a b.mp4"), str(data / "bad.mp4")]


def test_class_folders_and_the_list_of_the_next_run(data, monkeypatch, capsys):
    """A bad file is not opened again, and labels are those of the folders, whatever wrote them."""
    from glore_video.data.video.splits import load_split

    for name in ("ape/a b.mp4", "cat/bad.mp4", "cat/good.mp4"):
        (data / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        source = "bad.mp4" if "bad" in name else "a b.mp4"
        os.link(data / source, data / "train" / name)
    monkeypatch.chdir(data)
    assert main(["train", "--processes", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"labels, those of {data / 'train'}: 0 ape, 1 cat"
    assert out[-2:] == [
        f"wrote {data / 'train.manifest.csv'}",
        f"the next run with DATA.PATH_TO_DATA_DIR {data} takes it for train",
    ]
    videos = load_split(".", "train", num_classes=2)
    ((path, reason),) = videos.left_out
    assert os.path.relpath(path) == "train/cat/bad.mp4"
    assert reason.startswith("can't be opened as video")
    assert [os.path.relpath(path) for path in videos.paths()] == [
        "train/ape/a b.mp4",
        "train/cat/good.mp4",
    ]
    assert videos.index(0).num_frames == videos.index(1).num_frames == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{data}/none.csv"], "none.csv: no such list or folder"),
        (["{data}/a b.mp4"], "a b.mp4: not a text file"),
        (["{data}/list.csv", "--against", "{data}/none"], "none: no such file"),
        (["{data}/list.csv", "--out", "/proc/none/x.csv"], "/proc/none"),
        (["{data}/list.csv", "--like", "{data}"], "--like"),
        (["{data}", "--like", "{data}"], "holds no class folders that could be numbered"),
    ],
)
def test_user_errors_are_one_line(data, capsys, arguments, message):
    assert main([word.format(data=data) for word in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (data / "list.manifest.csv").exists()


def processes_of_group(group):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_it_goes_on(data, how):
    """Ctrl-C goes to the whole group, as from a terminal; a kill to the one process."""
    encode(data / "0.mp4", numbers=range(60), gop=60, size=(512, 768))
    for number in range(1, 40):
        os.link(data / "0.mp4", data / f"{number}.mp4")
    command = [sys.executable, str(TOOL), str(data), "--processes", "2"]
    partial = data.parent / f"{data.name}.manifest.csv.partial"
    running = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    end = time.monotonic() + 120
    while not partial.exists() or partial.read_text().count("\n") < 4:
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
    if how == signal.SIGINT:
        os.killpg(running.pid, how)
    else:
        running.kill()
    errors = running.communicate(timeout=30)[1].decode()
    if how == signal.SIGINT:
        assert running.returncode == 130
        lines = [line for line in errors.splitlines() if "%|" not in line]
        assert lines == ["stopped; the same command goes on from here", "interrupted"]
    end = time.monotonic() + 10
    while processes_of_group(running.pid):
        assert time.monotonic() < end, "a process outlives the one that started it"
        time.sleep(0.05)
    manifest = data.parent / f"{data.name}.manifest.csv"
    assert not manifest.exists()
    done = partial.read_text().count("\n")
    assert 4 <= done < 42
    again = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert f"wrote {manifest}" in again.stdout
    rows = list(read_rows(manifest))
    assert [row.status for row in rows].count("ok") == 41
    assert len(rows) == 42
    assert not partial.exists()
