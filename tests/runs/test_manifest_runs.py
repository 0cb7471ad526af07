"""Runs over a manifest: bad videos are never opened, and the summary names them."""

import json
import os

import pytest

from glore_video.cli.check_data import main as check_main
from glore_video.cli.main import main
from glore_video.data.video.manifest import ManifestRow
from glore_video.data.video.manifest_writer import ManifestWriter
from glore_video.tasks.classification import evaluation
from glore_video.video import opening, read_index


@pytest.fixture
def data(videos, tmp_path):
    """Manifests of three good videos, two that were found bad, and one that vanished since."""
    folder = tmp_path / "data"
    rows = [
        ManifestRow(path=f"{videos}/clips/{n}.mp4", label=n % 2, status="ok", frames=10)
        for n in range(3)
    ]
    rows.insert(1, ManifestRow(path="slow.mp4", label=1, status="timeout", reason="too slow"))
    rows.append(ManifestRow(path="gone.mp4", label=0, status="ok", frames=10))
    rows.append(ManifestRow(path="cut.mp4", label=0, status="damaged", frames=3, reason="cut off"))
    for split in ("train", "val", "test"):
        with ManifestWriter(folder / f"{split}.csv") as writer:
            for row in rows:
                good = row.path.startswith("/")
                writer.add(row, read_index(row.path).to_bytes() if good else b"")
            writer.finish([writer.known[row.path] for row in rows])
    (folder / "class_names.txt").write_text("dark\nbright\n")
    return folder


def check_data(argv):
    assert check_main(argv) == 0


@pytest.fixture
def words(data, options, tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    options |= {"DATA.PATH_TO_DATA_DIR": data, "TRAIN.BATCH_SIZE": 2, "SOLVER.MAX_EPOCH": 1}
    return ["--cfg", str(tmp_path / "empty.yaml"), *(str(w) for o in options.items() for w in o)]


def test_left_out_is_not_failed(words, data, options, capsys, monkeypatch):
    opened = []
    real = opening._check_file
    monkeypatch.setattr(opening, "_check_file", lambda path: (opened.append(path), real(path)))
    assert main(words) == 0
    assert not [path for path in opened if path.endswith(("slow.mp4", "cut.mp4"))]
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert (summary["videos_expected"], summary["videos_scored"]) == (6, 3)
    assert summary["failed"] == [{"path": str(data / "gone.mp4"), "reason": "no such file"}]
    assert summary["left_out"] == [
        {"path": str(data / "slow.mp4"), "reason": "too slow"},
        {"path": str(data / "cut.mp4"), "reason": "cut off"},
    ]
    err = capsys.readouterr().err
    assert f"left out by the manifest: {data / 'slow.mp4'}: too slow" in err
    assert f"{data / 'train.csv'}: 2 videos are left out" in err


def test_a_run_takes_what_a_check_of_class_folders_found(words, videos, tmp_path, caplog, capsys):
    """The bad file is named and not opened; what is no video is named too."""
    root = tmp_path / "folders"
    for split in ("train", "val", "test"):
        for number in range(4):
            path = root / split / ("dark", "bright")[number % 2] / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(videos / "clips" / f"{number}.mp4", path)
        (root / split / "dark" / "bad.mp4").write_text("no video")
        (root / split / "dark" / "notes.txt").touch()
        check_data([str(root / split), "--processes", "1"])
        assert f"{root} takes it for {split}" in capsys.readouterr().out
    assert main([*words, "DATA.PATH_TO_DATA_DIR", str(root)]) == 0
    log = (tmp_path / "öut put" / "log.txt").read_text()
    for split in ("train", "val", "test"):
        assert f"{root / split}: not taken: .txt (1: dark/notes.txt)" in log
        source = f"{root / split}.manifest.csv: taken for what it knows"
        assert f"{source}: of 5 videos of {root / split} 1 are left out as bad" in log
    summary = json.loads((tmp_path / "öut put" / "test" / "summary.json").read_text())
    assert (summary["videos_scored"], summary["failed"]) == (4, [])
    ((left_out),) = summary["left_out"]
    assert left_out["path"] == str(root / "test" / "dark" / "bad.mp4")


def test_a_test_of_classes_in_another_order_is_refused(words, videos, options, tmp_path, capsys):
    """The network calls label 0 dark; the folders that it is tested on, in their order, bright."""
    from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint

    root = tmp_path / "folders"
    for number in range(2):
        path = root / "test" / ("dark", "bright")[number] / f"{number}.mp4"
        path.parent.mkdir(parents=True)
        os.link(videos / "clips" / f"{number}.mp4", path)
    assert main([*words, "TEST.ENABLE", "False"]) == 0
    checkpoint = checkpoint_path(options["OUTPUT_DIR"], 1)
    assert read_checkpoint(checkpoint)["class_names"] == ["dark", "bright"]
    only_test = [*words, "TRAIN.ENABLE", "False", "DATA.PATH_TO_DATA_DIR", str(root)]
    capsys.readouterr()
    assert main(only_test) == 2
    assert f"in {checkpoint} 'bright' has label 1, in DATA.PATH" in capsys.readouterr().err
    (root / "class_names.txt").write_text("dark\nbright\n")
    assert main(only_test) == 0
    _, *lines = (options["OUTPUT_DIR"] / "test" / "predictions.csv").read_text().splitlines()
    assert [line.split(",")[1:3] for line in lines] == [["1", "bright"], ["0", "dark"]]


def test_damaged_videos_are_used_where_the_config_says_so(words, data, options):
    assert main([*words, "DATA.DAMAGED_VIDEO", "use_prefix"]) == 0
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert [left["path"] for left in summary["left_out"]] == [str(data / "slow.mp4")]
    assert str(data / "cut.mp4") in [failed["path"] for failed in summary["failed"]]


@pytest.mark.parametrize("change", [["VIDEO_TIMEOUT", "0"], ["VIDEO_TIMEOUT_ACTION", "stop"]])
def test_time_limit_of_the_config_reaches_the_loaders(words, change, options, monkeypatch):
    limits = []
    real = evaluation.views_loader

    def views_loader(dataset, **settings):
        watchdog = dataset.watchdog
        limits.append((watchdog and watchdog.seconds, settings["stop_on_timeout"]))
        return real(dataset, **settings)

    monkeypatch.setattr(evaluation, "views_loader", views_loader)
    key, value = change
    workers = ["DATA_LOADER.NUM_WORKERS", "1"]
    assert main([*words, *workers, f"DATA_LOADER.{key}", value]) == 0
    assert limits == [(None, False) if value == "0" else (60.0, True)]
