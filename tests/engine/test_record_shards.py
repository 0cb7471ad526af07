"""Records of an unfinished test: found again, and only by the same test."""

import logging

import numpy as np
import pytest

from glore_video.engine.record_shards import RecordShards

FINGERPRINT = {"weights": "abc", "DATA.MEAN": (0.45, 0.45), "TEST.VIEWS": 3}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "öut put" / "parts"


def parts(folder, seconds=0.0, **changes):
    return RecordShards(folder, FINGERPRINT | changes, seconds=seconds)


def logits(index):
    return np.full((3, 2), index, dtype=np.float32)


def test_another_process_finds_them(folder):
    first = parts(folder)
    for index in (4, 0, 7):
        first.add(index, logits(index))
    again = parts(folder)
    assert again.finished() == [0, 4, 7]
    again.add(2, logits(2))
    indices, values = again.collect((3, 2))
    assert indices.tolist() == [0, 2, 4, 7]
    assert values[:, 1, 1].tolist() == [0, 2, 4, 7]
    assert values.shape == (4, 3, 2)
    assert values.dtype == np.float32
    again.remove()
    assert not folder.exists()
    assert parts(folder).finished() == []


def test_written_together_within_the_seconds(folder, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    slow = parts(folder, seconds=10)
    for index in range(5):
        clock[0] += 4
        slow.add(index, logits(index))
    assert parts(folder).finished() == [0, 1, 2]  # after 12 s; the other two wait
    slow.flush()
    assert parts(folder).finished() == [0, 1, 2, 3, 4]
    assert len(list(folder.glob("*.npz"))) == 2
    slow.flush()
    assert len(list(folder.glob("*.npz"))) == 2


def test_much_is_written_early(folder, monkeypatch):
    monkeypatch.setattr("glore_video.engine.record_shards._MOST_BYTES", 40)
    large = parts(folder, seconds=1e9)
    large.add(0, logits(0))
    assert large.finished() == []
    large.add(1, logits(1))
    assert large.finished() == [0, 1]


def test_another_test_does_not_use_them(folder, caplog):
    parts(folder).add(0, logits(0))
    with caplog.at_level(logging.WARNING, logger="glore_video"):
        other = parts(folder, weights="def", more=1)
        assert other.finished() == []
    assert "an unfinished test are not used, it differs in more, weights" in caplog.text
    other.add(1, logits(1))
    assert other.collect((3, 2))[0].tolist() == [1]
    assert parts(folder).finished() == [0]


def test_damaged_file_is_scored_again(folder, caplog):
    first = parts(folder)
    first.add(0, logits(0))
    first.add(1, logits(1))
    path = sorted(folder.glob("*.npz"))[0]
    path.write_bytes(path.read_bytes()[:100])
    with caplog.at_level(logging.WARNING, logger="glore_video"):
        assert parts(folder).finished() == [1]
    assert f"{path} can't be read and is not used" in caplog.text


def test_a_file_that_was_being_written_does_not_count(folder):
    parts(folder).add(0, logits(0))
    path = next(folder.glob("*.npz"))
    path.rename(path.with_suffix(".77.tmp"))
    assert parts(folder).finished() == []


def test_other_shape(folder):
    parts(folder).add(0, logits(0))
    with pytest.raises(ValueError, match=r"00000000\.npz: remove it and test again"):
        parts(folder).collect((4, 2))
