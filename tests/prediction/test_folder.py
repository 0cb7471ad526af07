import shutil
from dataclasses import replace

import pytest
import torch

from glore_video.data.video.video_files import VIDEOS
from glore_video.engine.launch.processes import Process
from glore_video.prediction import predict
from glore_video.prediction.folder import files_below, predict_files
from glore_video.prediction.loading import load_predictor

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def folder(tmp_path, moving_video):
    root = tmp_path / "vidéos"
    (root / "b").mkdir(parents=True)
    (root / ".hidden").mkdir()
    shutil.copy(moving_video, root / "b" / "one.mp4")
    shutil.copy(moving_video, root / "twö.MP4")
    shutil.copy(moving_video, root / ".hidden" / "x.mp4")
    (root / "a bad.mp4").write_text("no video")
    (root / "notes.txt").write_text("no video")
    return root


def names(paths):
    return [path.rpartition("/")[2] for path in paths]


def test_videos_below(folder, tmp_path):
    assert names(files_below(VIDEOS, folder)) == ["a bad.mp4", "twö.MP4", "one.mp4"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no videos in it or in folders below it"):
        files_below(VIDEOS, tmp_path / "empty")


def test_a_folder(folder, tmp_path, tiny_checkpoint):
    ready = load_predictor(weights=tiny_checkpoint)
    paths = files_below(VIDEOS, folder)
    file = tmp_path / "out" / "p.csv"
    results = predict_files(paths, ready, file, process=ALONE)
    assert [r.path for r in results] == paths
    assert [r.failed for r in results] == [True, False, False]
    assert "can't be opened as video" in results[0].reason
    assert results[1].top[0][0] == predict(paths[1], ready).top(1)[0][0]
    assert results[1].top[0][1] == pytest.approx(predict(paths[1], ready).top(1)[0][1], abs=1e-5)
    assert [p.name for p in file.parent.iterdir()] == ["p.csv"]


def test_goes_on_and_notices_another_network(folder, tmp_path, tiny_checkpoint, monkeypatch):
    ready = load_predictor(weights=tiny_checkpoint)
    paths = files_below(VIDEOS, folder)
    file = tmp_path / "p.csv"
    predict_files(paths[1:2], ready, file, process=ALONE)
    before = file.read_text()
    seen = []
    logits = type(ready).logits
    monkeypatch.setattr(
        type(ready), "logits", lambda self, views: seen.append(1) or logits(self, views)
    )
    results = predict_files(paths, ready, file, process=ALONE)
    assert len(seen) == 1  # one is known, one fails, one is new
    assert before.splitlines()[1] in file.read_text()
    assert len(results) == 3
    other = replace(ready, views=replace(ready.views, num_clips=1))
    predict_files(paths, other, file, process=ALONE)
    assert len(seen) == 3


class OneOfTwo(Process):
    def barrier(self):
        pass


def test_shared_out(folder, tmp_path, tiny_checkpoint):
    ready = load_predictor(weights=tiny_checkpoint)
    paths = files_below(VIDEOS, folder)
    file = tmp_path / "p.csv"
    assert predict_files(paths, ready, file, process=OneOfTwo(1, 2, ALONE.device)) is None
    lines = (tmp_path / "p.csv.partial-1").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == [paths[1]]
    results = predict_files(paths, ready, file, process=OneOfTwo(0, 2, ALONE.device))
    # Two of three are left, of which the first is this one's.
    assert [result.path for result in results] == paths[:2]


def test_killed_within(folder, tmp_path, tiny_checkpoint, monkeypatch):
    ready = load_predictor(weights=tiny_checkpoint)
    paths = files_below(VIDEOS, folder)[1:]
    file = tmp_path / "p.csv"
    logits = type(ready).logits

    def stop(self, views):
        if (tmp_path / "p.csv.partial-0").exists():
            raise KeyboardInterrupt
        return logits(self, views)

    with monkeypatch.context() as patch:
        patch.setattr(type(ready), "logits", stop)
        with pytest.raises(KeyboardInterrupt):
            predict_files(paths, ready, file, process=ALONE)
    assert not file.exists()
    results = predict_files(paths, ready, file, process=ALONE)
    whole = predict_files(paths, ready, tmp_path / "q.csv", process=ALONE)
    assert results == whole
    assert file.read_bytes() == (tmp_path / "q.csv").read_bytes()
