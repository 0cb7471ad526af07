"""Videos that are segmented frame by frame: overlays with the same times, tables, broken ones."""

import csv
import os
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from glore_video.cli.predict import main
from glore_video.prediction import load_predictor
from glore_video.tasks.segmentation.predictor import ScenePredictor
from glore_video.video import FrameTimes, VideoError, open_video
from glore_video.video.passing import all_frames
from glore_video.video.writing import VideoWriter


@pytest.fixture(scope="module")
def ready(scene_checkpoint):
    return load_predictor(weights=scene_checkpoint)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_film_has_the_videos_frames_and_times(ready, moving_video, tmp_path):
    film, table = tmp_path / "new é" / "a.mp4", tmp_path / "new é" / "a.csv"
    seen = []
    found = ready.draw_film(
        moving_video, film, table=table, k=3, progress=lambda *done: seen.append(done)
    )
    assert seen == [(number, 30) for number in range(1, 31)]
    rows = rows_of(table)
    assert [int(row["frame"]) for row in rows] == list(range(30))
    assert [float(row["seconds"]) for row in rows] == pytest.approx([n / 10 for n in range(30)])
    shares = np.array([[float(row[name]) for name in ready.class_names] for row in rows])
    assert shares.sum(1) == pytest.approx(1, abs=1e-4)
    assert found.shares == pytest.approx(shares.mean(0), abs=1e-5)
    with open_video(film) as drawn, open_video(moving_video) as video:
        assert (drawn.num_frames, drawn.fps) == (30, 10)
        assert (drawn.width, drawn.height) == (96, 72)
        frame = video.frames([7])
        expected = ready.prediction_of(frame, "x")
        assert shares[7] == pytest.approx(expected.shares, abs=1e-6)
        # Above the panel it is the overlay, but for what the codec changes.
        top = drawn.frames([7])[0, :8].numpy().astype(int)
        assert np.abs(top - expected.overlay[:8]).mean() < 12
        assert np.abs(top - frame[0, :8].numpy()).mean() > 12
    assert sorted(each.name for each in film.parent.iterdir()) == ["a.csv", "a.mp4"]


def test_variable_times_are_kept_and_small_frames_have_no_panel(ready, tmp_path):
    stamps = (0, 40, 60, 200, 210)
    times = FrameTimes(5, Fraction(20), stamps, time_base=Fraction(1, 1000))
    source = tmp_path / "a.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (5, 16, 18, 3), dtype=np.uint8)
    with VideoWriter(source, fps=20, times=times) as writer:
        writer.write(frames)
    ready.draw_film(source, str(tmp_path / "b.mp4"), table=str(tmp_path / "b.csv"))
    with open_video(tmp_path / "b.mp4") as drawn, open_video(source) as video:
        assert list(drawn.times) == pytest.approx([float(each) for each in video.times], abs=1e-4)
        expected = ready.prediction_of(video.frames([2]), "x").overlay.astype(int)
        assert np.abs(drawn.frames([2])[0].numpy() - expected).mean() < 25
    seconds = [float(row["seconds"]) for row in rows_of(tmp_path / "b.csv")]
    assert seconds == pytest.approx([each / 1000 for each in stamps], abs=1e-3)


def test_frames_come_in_order_some_at_a_time(moving_video):
    with open_video(moving_video) as video:
        every = video.frames(range(30)).numpy()
        for most in (1, 7, 100):
            passed = list(all_frames(video, most=most))
            assert [number for number, _ in passed] == list(range(30))
            assert all((frame == every[number]).all() for number, frame in passed)


def arguments(scene_checkpoint, *more):
    return [*map(str, more), "--weights", str(scene_checkpoint), "--device", "cpu"]


def test_the_command(scene_checkpoint, moving_video, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments(scene_checkpoint, moving_video)) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{moving_video} (whole pictures; mean over the frames)\n  ")
    folder = tmp_path / "outputs" / "predictions"
    names = [f"moving squäre.{ending}" for ending in ("colours.png", "csv", "mp4")]
    assert sorted(os.listdir(folder)) == names
    assert all(f"outputs/predictions/{name}" in captured.err for name in names)
    other = ["--out", "b.mp4", "--csv", "deep/c.csv", "--json", "--top", "2"]
    assert main(arguments(scene_checkpoint, moving_video, *other)) == 0
    assert '"share": ' in capsys.readouterr().out
    assert len(rows_of(tmp_path / "deep" / "c.csv")) == 30


def test_what_is_stopped_or_broken_leaves_no_film(
    scene_checkpoint, moving_video, tmp_path, monkeypatch, capsys
):
    (tmp_path / "none.mp4").write_text("no video")
    out = ["--out", str(tmp_path / "o" / "a.mp4")]
    assert main(arguments(scene_checkpoint, tmp_path / "none.mp4", *out)) == 2
    assert "can't be opened as video" in capsys.readouterr().err
    assert main(arguments(scene_checkpoint, moving_video, "--out", "a.avi")) == 2
    assert "a.avi: --out, a drawn video, is a .mp4 file" in capsys.readouterr().err
    assert main(arguments(scene_checkpoint, moving_video, "--timeline", "a.png")) == 2
    assert "a network for videos; this one takes pictures" in capsys.readouterr().err

    (tmp_path / "mine.csv").write_text("path,label\n")
    other = ["--csv", str(tmp_path / "mine.csv")]
    assert main(arguments(scene_checkpoint, moving_video, *out, *other)) == 2
    assert "mine.csv: there, but not written by this" in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_text() == "path,label\n"

    predict, left = ScenePredictor.prediction_of, iter(range(3))

    def stopped(self, views, path):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return predict(self, views, path)

    monkeypatch.setattr(ScenePredictor, "prediction_of", stopped)
    assert main(arguments(scene_checkpoint, moving_video, *out)) == 130
    assert os.listdir(tmp_path / "o") == []


def test_a_video_that_ends_too_soon(ready, moving_video, tmp_path):
    broken = tmp_path / "cut.mp4"
    broken.write_bytes(moving_video.read_bytes()[: moving_video.stat().st_size // 2])
    with pytest.raises(VideoError):
        ready.draw_film(broken, tmp_path / "a.mp4", table=tmp_path / "a.csv", k=3)
    assert os.listdir(tmp_path) == ["cut.mp4"]


def test_which_files_are_films(ready, moving_video, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    assert ready.takes_film(moving_video)
    assert not ready.takes_film(tmp_path / "a.gif")  # a picture for all networks of pictures
