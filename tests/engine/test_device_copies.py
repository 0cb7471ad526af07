"""Copies to a GPU: on which stream, in which order, and who waits. The GPU's parts are played."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from glore_video.engine.device_copies import DeviceCopies, copying_stream

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def told(monkeypatch):
    """What the GPU is told, in order; streams are named."""
    told, here = [], ["computing"]

    class Stream:
        def __init__(self, name):
            self.name = name

        def wait_stream(self, other):
            told.append(f"{self.name} waits for {other.name}")

    @contextmanager
    def within(stream):
        here.append(stream.name)
        yield
        here.pop()

    def new(device):
        told.append(f"a stream of {device}")
        return Stream("copying")

    monkeypatch.setattr(torch.cuda, "Stream", new)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(here[-1]))
    monkeypatch.setattr(torch.cuda, "stream", within)
    copying_stream.cache_clear()
    yield SimpleNamespace(lines=told, here=here)
    copying_stream.cache_clear()


class Values:
    """Stands for a tensor."""

    def __init__(self, name, told, *, on_gpu=False):
        self.name, self.told, self.on_gpu = name, told, on_gpu

    def to(self, device, *, non_blocking):
        assert (device, non_blocking) == (GPU, True)
        if self.on_gpu:
            return self
        self.told.lines.append(f"{self.name} is copied on {self.told.here[-1]}")
        return Values(self.name, self.told, on_gpu=True)

    def record_stream(self, stream):
        self.told.lines.append(f"{self.name} is kept for {stream.name}")


def test_copies_have_a_stream_of_their_own_which_computing_waits_for(told):
    copies = DeviceCopies(GPU)(Values("inputs", told), Values("targets", told))
    assert all(copy.on_gpu for copy in copies)
    assert told.lines == [
        "a stream of cuda:0",
        "inputs is copied on copying",
        "targets is copied on copying",
        "computing waits for copying",
        "inputs is kept for computing",
        "targets is kept for computing",
    ]
    assert told.here == ["computing"]


def test_what_is_there_is_neither_copied_nor_kept(told):
    there = Values("inputs", told, on_gpu=True)
    assert DeviceCopies(GPU)(there) == (there,)
    assert told.lines == ["a stream of cuda:0", "computing waits for copying"]


def test_all_that_copies_shares_a_stream(told):
    """Each has memory of its own, which torch keeps: a stream a validation would add up."""
    for _ in range(3):
        DeviceCopies(GPU)
    assert told.lines == ["a stream of cuda:0"]


def test_on_a_cpu_nothing_happens():
    tensors = torch.zeros(2), torch.ones(3)
    copies = DeviceCopies(CPU)(*tensors)
    assert all(copy is given for copy, given in zip(copies, tensors, strict=True))
