"""Figures of several runs on the same pictures."""

import numpy as np
import pytest

from glore_video.errors import MissingFileError, UsageError
from glore_video.statistics.iou_intervals import runs_iou_interval
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions
from glore_video.tasks.segmentation.repetition import scene_repetition
from glore_video.tasks.segmentation.saved_confusions import save_confusions

NAMES = ("sky", "road", "pavement")


def matrices(share, pictures=20):
    """Of pictures of 100 pixels each of sky, road and pavement; of the two `share` are right."""
    right = round(100 * share)
    one = [[100, 0, 0, 0], [0, right, 100 - right, 0], [0, 100 - right, right, 0]]
    return np.stack([one] * pictures).astype(np.float32)


def write(folder, values, names=NAMES, order=None):
    order = np.arange(len(values)) if order is None else order
    (folder / "test").mkdir(parents=True)
    seen = PictureConfusions(values[order], tuple(f"{number:03}.png" for number in order))
    colours = np.zeros((len(names), 3), dtype=np.uint8)
    save_confusions(folder / "test", seen, names, colours)
    return folder


def test_means_and_interval_over_runs(tmp_path):
    """IoU of 0.5, 0.8 and 0.9 right: right / (200 - right)."""
    shares = (0.5, 0.8, 0.9)
    folders = [write(tmp_path / str(share), matrices(share)) for share in shares]
    found = scene_repetition(folders, ("pavement", "road"))
    expected = [100 * share / (2 - share) for share in shares]
    assert found.ious == pytest.approx(expected)
    assert found.mean == pytest.approx(np.mean(expected))
    # Student's t with 2 degrees of freedom, cut off at 100.
    reach = 4.302653 * np.std(expected, ddof=1) / 3**0.5
    ends = (max(0, np.mean(expected) - reach), min(100, np.mean(expected) + reach))
    assert found.interval == pytest.approx(ends, abs=1e-3)


def test_one_run_varies_by_its_pictures(tmp_path):
    values = np.concatenate([matrices(1.0, 10), matrices(0.0, 10)])
    found = scene_repetition([write(tmp_path / "a", values)], ("road", "pavement"))
    assert found.mean == pytest.approx(100 / 3)  # half of the pixels, of 3 halves
    low, high = found.interval
    # The share of right pictures has a deviation of 0.112; IoU is share / (2 - share).
    assert low == pytest.approx(100 * 0.281 / 1.719, abs=4)
    assert high == pytest.approx(100 * 0.719 / 1.281, abs=4)


def test_the_same_pictures_in_another_order(tmp_path):
    values = np.concatenate([matrices(1.0, 5), matrices(0.0, 15)])
    first = write(tmp_path / "a", values)
    second = write(tmp_path / "b", values, order=np.arange(20)[::-1])
    alone = scene_repetition([first], ("road",))
    both = scene_repetition([first, second], ("road",))
    assert both.ious == alone.ious * 2
    assert both.interval == pytest.approx(alone.interval)


def test_runs_that_are_alike_everywhere_are_no_point():
    low, high = runs_iou_interval([matrices(1.0)] * 2, (1, 2))
    assert 80 < low < 100
    assert high == 100


def test_other_tests_are_refused(tmp_path):
    first = write(tmp_path / "a", matrices(1.0))
    other = write(tmp_path / "b", matrices(1.0, 10))
    with pytest.raises(UsageError, match="lacks 10"):
        scene_repetition([first, other], ("road",))
    with pytest.raises(UsageError, match="no class 'lane', but sky, road, pavement"):
        scene_repetition([first], ("lane",))
    with pytest.raises(MissingFileError, match="c: no such file"):
        scene_repetition([tmp_path / "c"], ("road",))
