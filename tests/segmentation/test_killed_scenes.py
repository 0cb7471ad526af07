"""A segmentation's test that was stopped or killed goes on, and leaves what a whole one leaves."""

import json
import signal

import pytest
import torch
from forked_runs import shared_server
from PIL import Image
from run_files import flat

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.models import save_weights
from glore_video.runs.network import build_model
from glore_video.tasks.segmentation.evaluation import SceneEvaluation


@pytest.fixture
def pairs(options, tmp_path):
    """Of a test of drawn weights."""
    path = tmp_path / "weights.pyth"
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": path}
    torch.manual_seed(0)
    save_weights(build_model(load_config(None, flat(options))), path)
    return options


def left_by(folder):
    """What a test has left, by the path in its folder: bytes, of the summary without its time."""
    files = {
        path.relative_to(folder / "test").as_posix(): path.read_bytes()
        for path in (folder / "test").rglob("*")
        if path.is_file() and path.name != "config.yaml"  # which names OUTPUT_DIR
    }
    del files["report.html"]  # which shows the time and the folder's name
    summary = json.loads(files["summary.json"])
    del summary["seconds"]
    return files | {"summary.json": json.dumps(summary)}


@pytest.mark.parametrize("saved", [False, True])
def test_stopped(cfg, pairs, tmp_path, monkeypatch, saved):
    pairs |= {"TEST.SAVE_PREDICTIONS": saved}
    assert main([*cfg, *flat(pairs | {"OUTPUT_DIR": tmp_path / "whole"})]) == 0
    real, scored, stop = SceneEvaluation.record, [], 2

    def record(self, forward, views, batch_size):
        if len(scored) == stop:
            raise KeyboardInterrupt
        scored.append(views.index)
        return real(self, forward, views, batch_size)

    monkeypatch.setattr(SceneEvaluation, "record", record)
    words = [*cfg, *flat(pairs | {"OUTPUT_DIR": tmp_path / "stopped"})]
    assert main(words) == 130
    assert not (tmp_path / "stopped" / "test" / "summary.json").exists()
    stop = None
    assert main(words) == 0
    assert scored == [0, 1, 2, 3, 4]
    left = left_by(tmp_path / "stopped")
    assert left == left_by(tmp_path / "whole")
    assert ("predictions/04.png" in left) is saved


KILLED = """
import os, signal
from glore_video.engine.record_shards import RecordShards
from glore_video.tasks.segmentation.evaluation import SceneEvaluation

RecordShards.__init__.__kwdefaults__["seconds"] = 0.0
whole, calls = SceneEvaluation.record, []

def record(self, forward, views, batch_size):
    seen = whole(self, forward, views, batch_size)
    with open(os.environ["SCORED"], "a") as file:
        file.write(f"{{views.index}}\\n")
    calls.append(views.index)
    if len(calls) == {number}:  # its prediction is written, its record is not
        os.kill(os.getpid(), signal.SIGKILL)
    return seen

SceneEvaluation.record = record
"""


@pytest.mark.slow
@pytest.mark.parametrize("saved", [False, True])
def test_killed(cfg, pairs, tmp_path, saved):
    pairs |= {"TEST.SAVE_PREDICTIONS": saved}
    assert main([*cfg, *flat(pairs | {"OUTPUT_DIR": tmp_path / "whole"})]) == 0
    out, scored = tmp_path / "killed", tmp_path / "scored.txt"
    words = [*cfg[1:], *flat(pairs | {"OUTPUT_DIR": out})]
    options = {"log": tmp_path / "log.txt", "SCORED": str(scored)}
    for number, status in ((3, -signal.SIGKILL), (2, -signal.SIGKILL), (0, 0)):
        run = shared_server().start(words, hook=KILLED.format(number=number), **options)
        assert run.wait() == [status], run.log.read_text()
        assert (out / "test" / "summary.json").exists() is (status == 0)
    # Those at which it was killed twice, all others once.
    assert scored.read_text().split() == ["0", "1", "2", "2", "3", "3", "4"]
    assert "going on: 3 of 5 pictures are scored already" in run.log.read_text()
    assert left_by(out) == left_by(tmp_path / "whole")


def test_predictions_of_an_earlier_test_do_not_stay(cfg, pairs):
    """As of a picture that can be read no more."""
    pairs |= {"TEST.SAVE_PREDICTIONS": True}
    folder = pairs["OUTPUT_DIR"] / "test" / "predictions"
    folder.mkdir(parents=True)
    Image.new("L", (8, 8)).save(folder / "renamed.png")
    (folder / "notes.txt").write_text("mine")
    assert main([*cfg, *flat(pairs)]) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names == [*(f"{number:02}.png" for number in range(5)), "notes.txt"]
