"""The word that comes when nothing was said for long."""

import logging
import time

import pytest

from glore_video.engine.launch.activity import Activity
from glore_video.engine.launch.waiting import Ear, speaking_up


@pytest.fixture
def lines():
    """What is said, with the time; the ear is in the log as in a run."""
    said = []

    class Kept(logging.Handler):
        def emit(self, record):
            said.append((time.monotonic(), record.getMessage()))

    logger = logging.getLogger("glore_video")
    logger.setLevel(logging.DEBUG)
    handlers = [Kept(logging.INFO), Ear(logging.INFO)]
    for handler in handlers:
        logger.addHandler(handler)
    yield said
    for handler in handlers:
        logger.removeHandler(handler)


def wait_for(lines, number):
    end = time.monotonic() + 60
    while len(lines) < number and time.monotonic() < end:
        time.sleep(0.01)
    assert len(lines) >= number


def test_silence_is_broken_and_ever_more_seldom(lines):
    activity = Activity()
    activity.set("reading data", 3)
    start = time.monotonic()
    with speaking_up(activity, seconds=0.2):
        wait_for(lines, 1)
        activity.set("forward and backward")
        wait_for(lines, 3)
    assert lines[0][1].startswith("now: reading data at step 3, for ")
    assert lines[1][1].startswith("now: forward and backward at step 3, for ")
    assert lines[2][0] - start >= 0.2 + 0.4 + 0.8
    time.sleep(0.5)
    assert len(lines) == 3, "it has ended"


def test_who_speaks_is_left_alone(lines):
    logger = logging.getLogger("glore_video.engine.trainer")
    with speaking_up(Activity(), seconds=30):
        for _ in range(10):
            time.sleep(0.05)
            logger.info("step")
            logger.debug("no word")
    assert [text for _, text in lines] == ["step"] * 10


def test_a_word_begins_the_silence_anew(lines):
    logger = logging.getLogger("glore_video.engine.trainer")
    with speaking_up(Activity(), seconds=0.4):
        time.sleep(0.2)
        logger.info("step")
        wait_for(lines, 2)
    assert lines[0][1] == "step"
    assert lines[1][0] - lines[0][0] >= 0.4
