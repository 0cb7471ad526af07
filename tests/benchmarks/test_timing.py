"""How often forms are called to be timed."""

import pytest
import torch
from timing import calls_of_a_series, compare


@pytest.mark.parametrize(
    ("seconds", "calls"), [(1.0, 1), (0.02, 1), (0.019, 2), (0.004, 5), (1e-5, 50), (0.0, 50)]
)
def test_calls_of_a_series(seconds, calls):
    assert calls_of_a_series(seconds) == calls


def test_forms_take_turns():
    called = []
    forms = {name: lambda name=name: called.append(name) for name in ("a", "b")}
    costs = compare(forms, rounds=3, device=torch.device("cpu"))
    assert "".join(called[-6:]) == "ababab"
    assert list(costs) == ["a", "b"]
    for cost in costs.values():
        assert 0 <= cost.seconds <= cost.median_seconds
        assert cost.peak_bytes == 0
