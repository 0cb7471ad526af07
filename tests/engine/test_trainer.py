"""Whole training runs of a task without files: vectors."""

import json
import os
import signal
import sys

import pytest
import torch
import toy_task
from fresh_python import fresh_python
from toy_task import network, train_step, trainer

from glore_video.engine.checkpoint import BEST_NAME, checkpoint_path, read_checkpoint
from glore_video.engine.trainer import Trainer
from glore_video.errors import UsageError
from glore_video.processes.stop_signals import StoppedBySignal


def lines(folder, split):
    parsed = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in parsed if line["split"] == split]


def state_of(folder, epoch=3, step=0):
    return read_checkpoint(checkpoint_path(folder, epoch, step))


def run(folder, **changes):
    one = trainer(folder, **changes)
    with one.metrics:
        one.train(auto_resume=True)
    return one


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_learns_and_says_so_in_the_tasks_words(tmp_path):
    run(tmp_path, max_epoch=8)
    epochs, validations = lines(tmp_path, "train_epoch"), lines(tmp_path, "val_epoch")
    assert epochs[-1]["loss"] < 0.7 * epochs[0]["loss"]
    assert epochs[0]["bad_vectors"] == 0
    assert validations[-1]["accuracy"] > 60
    assert validations[-1]["vectors_expected"] == validations[-1]["vectors_scored"] == 9
    assert "vectors_per_second" in lines(tmp_path, "train_iter")[0]
    best = read_checkpoint(tmp_path / "checkpoints" / BEST_NAME)
    assert best["best"] == max(each["accuracy"] for each in validations)


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9, "accumulation": 2, "precise_batches": 2}])
def test_a_run_that_is_stopped_within_an_epoch_goes_on_exactly_there(
    tmp_path, monkeypatch, changes
):
    run(tmp_path / "whole", **changes)
    real, calls = Trainer._step, []

    def signalled(self, batch):
        calls.append(0)
        if len(calls) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, batch)

    monkeypatch.setattr(Trainer, "_step", signalled)
    with pytest.raises(StoppedBySignal):
        run(tmp_path / "parts", **changes)
    assert state_of(tmp_path / "parts", 1, 2)["epoch_totals"][0][3] == 12  # inputs so far
    run(tmp_path / "parts", **changes)
    whole, parts = state_of(tmp_path / "whole"), state_of(tmp_path / "parts")
    assert same(whole["model_state"], parts["model_state"])
    if "ema" in changes:
        assert same(whole["ema_state"], parts["ema_state"])
    for split in ("train_epoch", "val_epoch"):
        for a, b in zip(
            lines(tmp_path / "whole", split), lines(tmp_path / "parts", split), strict=True
        ):
            assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_divergence_names_the_step_the_layer_and_the_samples(tmp_path, monkeypatch):
    real, calls = Trainer._step, []

    def spoiled(self, batch):
        calls.append(0)
        if len(calls) == 3:
            torch.nn.init.constant_(self.train_step.model.head.bias, float("inf"))
        return real(self, batch)

    monkeypatch.setattr(Trainer, "_step", spoiled)
    with pytest.raises(
        UsageError, match=r"step 3 of 4 in epoch 1: the parameter head\.bias"
    ) as told:
        run(tmp_path)
    assert "Vectors of the batch: vector_" in str(told.value)


def test_unreadable_samples_are_replaced_counted_and_too_many_stop_the_run(tmp_path, caplog):
    run(tmp_path / "few", unreadable_training=(3, 4))
    assert lines(tmp_path / "few", "train_epoch")[-1]["bad_vectors"] == 2
    with pytest.raises(UsageError, match="training vectors could not be read"):
        run(tmp_path / "many", unreadable_training=range(12), max_bad_fraction=0.1)


def test_unreadable_samples_are_not_validated(tmp_path):
    run(tmp_path, unreadable_validation=(2, 5))
    last = lines(tmp_path, "val_epoch")[-1]
    assert (last["vectors_expected"], last["vectors_scored"]) == (9, 7)
    with pytest.raises(UsageError, match="none of the 9 validation vectors could be read"):
        run(tmp_path / "none", unreadable_validation=range(9))


def test_outputs_that_are_not_finite_are_no_best(tmp_path, monkeypatch):
    settle = Trainer._settle_batch_norm

    def spoil(self):
        settle(self)
        if self.train_data.order.epoch == 2:
            self.train_step.model.body[2].running_var.fill_(float("nan"))

    monkeypatch.setattr(Trainer, "_settle_batch_norm", spoil)
    run(tmp_path)
    assert read_checkpoint(tmp_path / "checkpoints" / BEST_NAME)["epoch"] < 3
    assert lines(tmp_path, "val_epoch")[-1]["vectors_not_finite"] == 9


def as_written_before(state):
    """The state with the keys it had when top-1 was the only figure."""
    state["best_top1"] = state.pop("best")
    state["sampler_state"]["num_videos"] = state["sampler_state"].pop("num_samples")
    # loss, correct, clips, norm
    state["epoch_totals"] = [[12.0, 5.0, 12.0, 3.0]]
    return state


def test_a_checkpoint_from_before_there_were_tasks_is_gone_on_from(tmp_path, monkeypatch):
    class TopOne(toy_task.Meter):  # two counts, as the classifying tasks have in training
        size = 2

        def count(self, outputs, targets):
            return super().count(outputs, targets)[1:]

        def figures(self, counts):
            correct, counted = counts.tolist()
            return {"accuracy": 100 * correct / counted}

    def stopped(folder):
        one = trainer(folder, checkpoint_steps=2)
        one.train_step.meter = TopOne(with_loss=False)
        return one

    one = stopped(tmp_path)
    real, calls = Trainer._step, []

    def killed(self, batch):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, batch)

    monkeypatch.setattr(Trainer, "_step", killed)
    with one.metrics, pytest.raises(KeyboardInterrupt):
        one.train(auto_resume=True)
    path = checkpoint_path(tmp_path, 0, 2)
    torch.save(as_written_before(read_checkpoint(path)), path)
    monkeypatch.setattr(Trainer, "_step", real)
    with (again := stopped(tmp_path)).metrics:
        start = again.checkpoints.resume(again.metrics, max_epoch=3)
        # loss, weight, norm, inputs, correct, counted
        assert start.total.tolist() == [12.0, 12.0, 3.0, 12.0, 5.0, 12.0]
        assert (start.epoch, start.step, start.best) == (0, 2, -1.0)
        again.train(auto_resume=True)
    assert state_of(tmp_path)["epoch"] == 3


TWO = """
import pathlib, sys
folder, *sys.path = sys.argv[1:]
import torch, test_trainer
start = torch.multiprocessing.start_processes
start(test_trainer.one_of_two, (pathlib.Path(folder),), nprocs=2, start_method="fork")
"""


def one_of_two(rank, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    step = step_of(toy_task.Process(rank, 2, toy_task.CPU))
    vectors, targets, generator = whole_batch()
    step(vectors[rank::2], targets[rank::2], generator)
    if not rank:
        torch.save([p.detach() for p in step.model.parameters()], folder / "two.pt")
    torch.distributed.destroy_process_group()


def step_of(process):
    model = network(dtype=torch.float64)
    model.eval()  # batch norms and dropout depend on what is computed at a time
    return train_step(model, process)


def whole_batch():
    vectors = torch.cat([toy_task.Vectors(8)[i].inputs for i in range(8)])
    return vectors, torch.stack([toy_task.target_of(i) for i in range(8)]), torch.Generator()


@pytest.mark.slow
def test_two_processes_make_the_step_of_one_where_targets_are_ignored(tmp_path):
    """Of 16 positions in each process' half 12 and 8 count."""
    one = step_of(toy_task.Process(0, 1, toy_task.CPU))
    one(*whole_batch())
    # Not of this process, where torch may have started threads for gradients.
    done = fresh_python().run(TWO, tmp_path, *sys.path)
    assert done.returncode == 0, done.stderr
    two = torch.load(tmp_path / "two.pt", weights_only=True)
    for a, b in zip(one.model.parameters(), two, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-12, atol=1e-14)
