"""The parts of each ending add up to what is promised."""

import pytest

from glore_video.processes import waiting_times


@pytest.mark.parametrize("ending", waiting_times.ENDINGS)
def test_an_ending_takes_ten_seconds_at_most(ending):
    assert sum(waiting_times.ENDINGS[ending]) <= waiting_times.PROMISED == 10
