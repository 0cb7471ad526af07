"""What the tests' own encoding must leave as it was."""

import os

import pytest
from encoded_videos import encode
from video_corpus import AV1


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no scheduling classes here")
def test_encoding_leaves_the_process_an_ordinary_one(tmp_path):
    """SVT-AV1 would make it a real-time one where root runs it, and all others would wait."""
    before = os.sched_getscheduler(0)
    encode(tmp_path / "v.mp4", "libsvtav1", numbers=range(2), options=AV1)
    assert os.sched_getscheduler(0) == before == os.SCHED_OTHER
