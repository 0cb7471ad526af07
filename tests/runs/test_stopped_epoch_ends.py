"""A signal while an epoch ends: within a batch the run stops, and a new start does the end anew."""

import json
import os
import signal

import pytest
import torch

from glore_video.cli.main import main
from glore_video.engine import precise_batch_norms
from glore_video.engine.checkpoint import BEST_NAME, checkpoint_path, read_checkpoint
from glore_video.tasks.classification import meter
from glore_video.tasks.classification.evaluation import ViewsEvaluation


@pytest.fixture
def run(options, tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    options |= {
        "BN.USE_PRECISE_STATS": True,
        "TRAIN.EMA_DECAY": 0.9,
        "TRAIN.EVAL_PERIOD": 1,
        "TRAIN.CHECKPOINT_PERIOD": 9,
        "TEST.ENABLE": False,
    }

    def start(folder):
        pairs = options | {"OUTPUT_DIR": folder}
        words = [str(word) for pair in pairs.items() for word in pair]
        return main(["--cfg", str(tmp_path / "empty.yaml"), *words])

    return start


def signal_at(monkeypatch, module, name, number, which):
    """A signal at the number-th call of a function from now on; the list of calls."""
    calls = []
    function = getattr(module, name)

    def called(*arguments, **more):
        calls.append(name)
        if len(calls) == number:
            os.kill(os.getpid(), which)
        return function(*arguments, **more)

    monkeypatch.setattr(module, name, called)
    return calls


def numbers(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in line.items() if "seconds" not in key and "clips" not in key}
        for line in lines
    ]


# Of two epochs of two steps: two batches for precise statistics of the network, two for those of
# its average, two validation batches for each.
PLACES = {
    "precise statistics, first epoch": (precise_batch_norms._Population, "add", 1, 1),
    "validation, first epoch": (meter, "finite_rows", 1, 1),
    "validation of the average, first epoch": (meter, "finite_rows", 3, 1),
    "validation, last epoch": (meter, "finite_rows", 5, 2),
}


@pytest.mark.parametrize("place", PLACES)
def test_stopped_at(run, tmp_path, monkeypatch, capsys, place):
    module, name, number, epoch = PLACES[place]
    assert run(tmp_path / "whole") == 0
    with monkeypatch.context() as patch:
        calls = signal_at(patch, module, name, number, signal.SIGINT)
        assert run(tmp_path / "stopped") == 128 + signal.SIGINT
    if module is meter:
        assert len(calls) == number  # no further batch
    path = checkpoint_path(tmp_path / "stopped", epoch)
    assert f"stopped by SIGINT; {path} is saved, start again to go on" in capsys.readouterr().err
    assert run(tmp_path / "stopped") == 0
    for name in (BEST_NAME, checkpoint_path(tmp_path, 2).name):
        whole, resumed = (
            read_checkpoint(tmp_path / folder / "checkpoints" / name)
            for folder in ("whole", "stopped")
        )
        assert whole["best"] == resumed["best"]
        for state in ("model_state", "ema_state"):
            for key, value in whole[state].items():
                assert torch.equal(value, resumed[state][key]), key
        assert not resumed["end_due"]
    assert numbers(tmp_path / "whole") == numbers(tmp_path / "stopped")


def test_stopped_in_the_test(run, options, tmp_path, monkeypatch, capsys):
    assert run(tmp_path / "run") == 0
    options |= {"TEST.ENABLE": True, "TRAIN.ENABLE": False}
    real = ViewsEvaluation.record
    calls = []

    def scored(*arguments, **more):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments, **more)

    monkeypatch.setattr(ViewsEvaluation, "record", scored)
    assert run(tmp_path / "run") == 128 + signal.SIGINT
    assert len(calls) == 3
    said = capsys.readouterr().err
    assert "the test is stopped; the same command goes on from here" in said
    assert run(tmp_path / "run") == 0
    assert "going on: 2 of 8 videos are scored already" in capsys.readouterr().err
