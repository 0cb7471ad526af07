"""Signals to all processes of a run at once, as schedulers and `timeout` send them: nothing is lost."""

import signal

import pytest
import torch
from run_files import flat
from test_unforeseen import forked_run, real_run

from glore_video.engine.checkpoint import checkpoint_path, last_checkpoint, read_checkpoint

# The second time the run comes there, all of its processes get the signal twice: `timeout` sends it
# to its child and then to its group, and a launcher hands it on.
HOOK = """
import os, time
from glore_video.engine import trainer
from glore_video.runs import acceptance
from glore_video.tasks.classification.evaluation import ViewsEvaluation

where, name = {where!r}.split(".")
holders = (trainer, trainer.Trainer, ViewsEvaluation, acceptance)
holder = next(each for each in holders if each.__name__.rpartition(".")[2] == where)
real = getattr(holder, name)
calls = []

def struck(*arguments, **options):
    calls.append(0)
    if len(calls) == {call}:
        for _ in range(2):
            os.killpg(0, {number})
            time.sleep(0.05)
    return real(*arguments, **options)

setattr(holder, name, struck)
"""
PLACES = {
    "training": ("Trainer._step", 2),
    "validation": ("trainer.validate", 1),
    "test": ("ViewsEvaluation.record", 2),
    "preparation": ("acceptance.prepare", 1),
}


@pytest.fixture
def words(options, cfg, tmp_path):
    options |= {"DATA_LOADER.NUM_WORKERS": 2, "TRAIN.BATCH_SIZE": 2, "TRAIN.EVAL_PERIOD": 1}

    def words(name, **more):
        return [*cfg, *flat(options | {"OUTPUT_DIR": tmp_path / name} | more)]

    return words


def hook(place, number):
    where, call = PLACES[place]
    return HOOK.format(where=where, call=call, number=int(number))


def final_weights(folder):
    return read_checkpoint(checkpoint_path(folder, 2))["model_state"]


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("training", signal.SIGTERM),
        *(
            pytest.param(place, number, marks=pytest.mark.slow)
            for place, number in [
                ("training", signal.SIGINT),
                ("training", signal.SIGUSR1),
                ("validation", signal.SIGTERM),
                ("validation", signal.SIGINT),
                ("test", signal.SIGTERM),
                ("test", signal.SIGINT),
                ("test", signal.SIGUSR1),
            ]
        ),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value,
)
def test_the_whole_group_is_told(words, tmp_path, place, number):
    """It saves, and the next start ends with the weights of a run that was never stopped."""
    log = tmp_path / "said.txt"
    assert forked_run(words("whole"), "", log) == 0, log.read_text()
    log.write_text("")
    out = tmp_path / "stopped"
    status = forked_run(words("stopped"), hook(place, number), log)
    said = log.read_text()
    assert status == 128 + number, said
    assert "Traceback" not in said
    assert "error: " not in said
    if place == "test":
        assert "the test is stopped; the same command goes on from here" in said
        assert list((out / "test" / "parts").glob("*.npz"))
    else:
        assert f"{number.name}: the state is saved" in said
        assert f"stopped by {number.name}; {last_checkpoint(out)} is saved" in said
    assert not (out / "run.lock").exists()
    assert not (out / "test" / "summary.json").exists()
    assert forked_run(words("stopped"), "", log) == 0, log.read_text()
    one, other = final_weights(tmp_path / "whole"), final_weights(out)
    assert all(torch.equal(one[key], other[key]) for key in one)
    scores = [(folder / "test" / "scores.npz").read_bytes() for folder in (tmp_path / "whole", out)]
    assert scores[0] == scores[1]


def test_before_there_is_anything_to_save(words, tmp_path):
    log = tmp_path / "said.txt"
    assert forked_run(words("out"), hook("preparation", signal.SIGTERM), log) == 143
    assert log.read_text().splitlines()[-1] == "stopped by SIGTERM"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=lambda one: one.name)
def test_the_group_of_spawned_processes(words, tmp_path, number):
    out = tmp_path / "öut put"
    noted = f"open({str(tmp_path / 'noted')!r}, 'a').write(f'{{time.time()}}\\n')"
    fault = hook("training", number).replace(
        "for _ in range(2)", f"{noted}\n        for _ in range(2)"
    )
    several = {"CPU_PROCESSES": 2, "LOG_PERIOD": 1, "OUTPUT_DIR": out}
    status, _, said = real_run(words("out", **several), fault, tmp_path)
    assert status == 128 + number, said
    assert "Traceback" not in said
    assert f"stopped by {number.name}; {last_checkpoint(out)} is saved" in said
