"""The test's loop on vectors: shared out, gone on with, tried again; no video is near."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from glore_video.engine import record_shards, tester
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.record_shards import RecordShards
from glore_video.engine.tester import evaluate, fingerprint_of_test
from glore_video.errors import UsageError

CPU = torch.device("cpu")
ALONE = Process(0, 1, CPU)


class Vectors:
    """Sample n is the vector (n, 1)."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def path(self, index):
        return f"vector {index}"


@dataclass
class Doubled:
    """A record is the network's output for a sample and for its double, (2, 2)."""

    samples: Vectors
    noun: str = "vector"
    input_shape: tuple = (2,)
    record_shape: tuple = (2, 2)
    settings: dict = field(default_factory=lambda: {"scale": 2})
    unreadable: set = field(default_factory=set)
    shown: list = field(default_factory=list)
    stop_after: int = 10**9

    def loader(self, indices):
        for index in indices:
            if index in self.unreadable:
                failures = ((self.samples.path(index), "torn"),)
                yield SimpleNamespace(index=index, views=None, failures=failures)
            else:
                one = torch.tensor([index, 1], dtype=torch.uint8)
                views = torch.stack([one, 2 * one])
                yield SimpleNamespace(index=index, views=views, failures=())

    def tested_form(self, network):
        return network

    def record(self, forward, views, batch_size):
        if len(self.shown) == self.stop_after:
            raise KeyboardInterrupt
        self.shown.append(int(views[0, 0]))
        return torch.cat([forward(part) for part in views.split(batch_size)]).numpy()


class InThread(Process):
    """One of several processes that are threads here."""

    def meet(self, meeting, notes):
        object.__setattr__(self, "meeting", meeting)
        object.__setattr__(self, "notes", notes)
        return self

    def gather(self, value):
        self.notes[self.rank] = value
        self.meeting.wait(10)
        found = [self.notes[rank] for rank in range(self.world_size)]
        self.meeting.wait(10)
        return found


def network():
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0], [0.5, -1.0]]))
        layer.bias.zero_()
    return nn.Sequential(layer, nn.Dropout(0.9)).train()


def run(evaluation, folder, process=ALONE, batch_size=1):
    shards = RecordShards(folder, fingerprint_of_test(evaluation, "weights", process), seconds=0.0)
    return evaluate(
        network(),
        evaluation,
        batch_size=batch_size,
        normalize=lambda inputs, device: inputs.float().to(device),
        precision=Precision(device=CPU),
        process=process,
        shards=shards,
    )


def expected(index):
    """x -> (x, x / 2 - y), of (n, 1) and (2 n, 2); dropout is off."""
    return [[index, index / 2 - 1], [2 * index, index - 2]]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_records_are_in_the_order_of_the_list(tmp_path, batch_size):
    records = run(Doubled(Vectors(5)), tmp_path / "parts", batch_size=batch_size)
    assert records.indices.tolist() == [0, 1, 2, 3, 4]
    assert records.values.dtype == np.float32
    assert records.values.tolist() == [expected(index) for index in range(5)]
    assert records.failed == ()


class Movable(NamedTuple):
    """Views that note where they are sent."""

    values: torch.Tensor
    sent: list

    def to(self, device, *, non_blocking):
        self.sent.append((device, non_blocking))
        return self.values


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_views_are_moved_to_the_device_before_they_are_cut(tmp_path, device):
    """Where they can be: a scene of a segmentation, say, stays. "meta" stands for a GPU."""
    sent, got = [], []

    class OfEither(Doubled):
        def loader(self, indices):
            for item in super().loader(indices):
                moves = item.index != 1
                yield SimpleNamespace(
                    index=item.index,
                    views=Movable(item.views, sent) if moves else {"scene": item.views},
                    failures=(),
                )

        def record(self, forward, views, batch_size):
            got.append(type(views))
            return np.zeros(self.record_shape, np.float32)

    run(OfEither(Vectors(3)), tmp_path / "parts", Process(0, 1, torch.device(device)))
    assert sent == [(torch.device(device), True)] * 2
    assert got == [torch.Tensor, dict, torch.Tensor]


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_shared_out_to_processes(tmp_path, monkeypatch, world_size):
    """Each sample once, by one of them; more processes than samples too."""
    # Processes write to files of their own, which bear their numbers; threads have one number.
    monkeypatch.setattr(record_shards, "os", SimpleNamespace(getpid=threading.get_ident))
    meeting, notes, found = threading.Barrier(world_size), {}, {}
    evaluations = [Doubled(Vectors(5), unreadable={3}) for _ in range(world_size)]

    def work(rank):
        process = InThread(rank, world_size, CPU).meet(meeting, notes)
        found[rank] = run(evaluations[rank], tmp_path / "parts", process)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(world_size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [found[rank] for rank in range(1, world_size)] == [None] * (world_size - 1)
    assert found[0].indices.tolist() == [0, 1, 2, 4]
    assert found[0].values.tolist() == [expected(index) for index in (0, 1, 2, 4)]
    assert found[0].failed == (("vector 3", "torn"),)
    shown = [each.shown for each in evaluations]
    assert sorted(index for each in shown for index in each) == [0, 1, 2, 4]
    assert [len(each) for each in shown] == [
        len({0, 1, 2, 4} & set(range(rank, 5, world_size))) for rank in range(world_size)
    ]


def test_a_stopped_test_goes_on(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        run(Doubled(Vectors(5), stop_after=2), tmp_path)
    again = Doubled(Vectors(5))
    with caplog.at_level("INFO", logger="glore_video"):
        records = run(again, tmp_path)
    assert "going on: 2 of 5 vectors are scored already" in caplog.text
    assert again.shown == [2, 3, 4]
    assert records.values.tolist() == [expected(index) for index in range(5)]


@pytest.mark.parametrize("changed", ["settings", "weights"])
def test_another_test_starts_anew(tmp_path, caplog, changed):
    run(Doubled(Vectors(3)), tmp_path / "parts")
    other = Doubled(Vectors(3), settings={"scale": 3} if changed == "settings" else {"scale": 2})
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"new" if changed == "weights" else b"weights")
    made = fingerprint_of_test(other, weights if changed == "weights" else "weights", ALONE)
    shards = RecordShards(tmp_path / "parts", made)
    assert shards.finished() == []
    assert f"differs in {'scale' if changed == 'settings' else 'weights'}" in caplog.text


def test_weights_count_by_their_content(tmp_path):
    evaluation, path = Doubled(Vectors(1)), tmp_path / "a.pth"
    path.write_bytes(b"one")
    first = fingerprint_of_test(evaluation, path, ALONE)
    path.rename(tmp_path / "b.pth")
    assert fingerprint_of_test(evaluation, Path(tmp_path / "b.pth"), ALONE) == first
    path.write_bytes(b"two")
    assert fingerprint_of_test(evaluation, path, ALONE) != first


def test_unreadable_samples_are_tried_again(tmp_path):
    records = run(Doubled(Vectors(4), unreadable={0, 2}), tmp_path)
    assert records.indices.tolist() == [1, 3]
    assert records.failed == (("vector 0", "torn"), ("vector 2", "torn"))
    again = Doubled(Vectors(4), unreadable={2})
    records = run(again, tmp_path)
    assert again.shown == [0]
    assert records.indices.tolist() == [0, 1, 3]
    assert records.failed == (("vector 2", "torn"),)


def test_nothing_is_readable(tmp_path):
    records = run(Doubled(Vectors(2), unreadable={0, 1}), tmp_path)
    assert records.values.shape == (0, 2, 2)
    assert len(records.failed) == 2


def test_what_is_not_finite_is_kept_as_it_is(tmp_path, monkeypatch):
    """Whether that is an error is the task's to say; other samples keep theirs."""
    record = Doubled.record

    def spoilt(self, forward, views, batch_size):
        found = record(self, forward, views, batch_size)
        return np.full_like(found, np.nan) if views[0, 0] == 1 else found

    monkeypatch.setattr(Doubled, "record", spoilt)
    records = run(Doubled(Vectors(3)), tmp_path)
    assert np.isfinite(records.values).all(axis=(1, 2)).tolist() == [True, False, True]


def test_records_that_are_not_to_be_seen_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tester._wait_for, "__kwdefaults__", {"seconds": 0.0})
    finished = RecordShards.finished
    monkeypatch.setattr(RecordShards, "finished", lambda self: finished(self)[:1])
    with pytest.raises(UsageError, match="holds the scores of 1 vectors, 3 were scored"):
        run(Doubled(Vectors(3)), tmp_path)
