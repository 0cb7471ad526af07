"""cuDNN's trials: for the first shapes, and never where runs are to be deterministic."""

import pytest
import torch

from glore_video.engine.convolution_trials import ConvolutionTrials
from glore_video.engine.precision import Precision

cudnn = torch.backends.cudnn
SIZES = [8, 9, 8, 10, 9, 11]


@pytest.fixture(autouse=True)
def switches(monkeypatch):
    for name in ("benchmark", "deterministic"):
        monkeypatch.setattr(cudnn, name, False)


def tried(trials, sizes=SIZES):
    seen = []
    for size in sizes:
        with trials.of(torch.empty(2, 3, size, size, device="meta")):
            seen.append(cudnn.benchmark)
        assert not cudnn.benchmark
    return seen


def test_the_first_shapes_alone_are_tried():
    assert tried(ConvolutionTrials(enabled=True, shapes=2)) == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]
    assert tried(ConvolutionTrials(enabled=True)) == [True] * 6


def test_a_shape_is_more_than_its_size():
    trials = ConvolutionTrials(enabled=True, shapes=1)
    with trials.of(torch.empty(2, 3, 8, 8)):
        assert cudnn.benchmark
    with trials.of(torch.empty(1, 3, 8, 8)):
        assert not cudnn.benchmark


@pytest.mark.parametrize("before", [False, True])
def test_torchs_switch_is_put_back_after_an_error(before, monkeypatch):
    monkeypatch.setattr(cudnn, "benchmark", before)
    with pytest.raises(KeyError), ConvolutionTrials(enabled=True).of(torch.empty(1)):
        raise KeyError
    assert cudnn.benchmark == before
    with ConvolutionTrials(enabled=False).of(torch.empty(1)):
        assert cudnn.benchmark == before


def test_nothing_is_tried_where_results_must_repeat(monkeypatch):
    trials = ConvolutionTrials(enabled=True)
    with monkeypatch.context() as patched:
        patched.setattr(cudnn, "deterministic", True)
        assert tried(trials) == [False] * 6
    torch.use_deterministic_algorithms(True)
    try:
        assert tried(trials) == [False] * 6
    finally:
        torch.use_deterministic_algorithms(False)
    assert tried(trials) == [True] * 6


@pytest.mark.parametrize(
    ("device", "wanted", "expected"),
    [("cuda", True, True), ("cuda", False, False), ("cpu", True, False)],
)
def test_on_a_gpu_if_it_is_wanted(device, wanted, expected):
    precision = Precision(device=torch.device(device), cudnn_benchmark=wanted)
    assert tried(precision.trials()) == [expected] * 6
