import numpy as np
import pytest
from PIL import Image

from glore_video.reports.drawing import SERIES, canvas, save
from glore_video.reports.line_chart import draw_lines
from glore_video.reports.score_panel import draw_scores


def near(pixels, colour, limit=40):
    """Where pixels have about this colour."""
    return np.abs(pixels.astype(int) - np.array(colour)).max(-1) < limit


def test_lines():
    image = draw_lines(
        [0.0, 1.0, 2.0], [[0, 0, 0], [1, 1, 1]], ["low", "high"], title="t", top=1.0, percent=True
    )
    pixels = np.asarray(image)[:, 56:630]
    first = near(pixels, SERIES[0]).nonzero()[0]
    second = near(pixels, SERIES[1]).nonzero()[0]
    assert first.min() > 300
    assert second.max() < 90
    one = draw_lines([1.0], [[0.5]], ["x" * 200], title="one point")
    assert near(np.asarray(one), SERIES[0]).any()


def test_scores():
    picture = np.full((120, 200, 3), 255, dtype=np.uint8)
    out = draw_scores(picture, [("a long name " * 20, 0.5), ("é", 2.0)], note="1.0 s")
    assert out.shape == picture.shape
    assert (out[:20] == 255).all()
    assert out[-10:, :100].mean() < 200
    assert (picture == 255).all()


def test_save(tmp_path):
    image, _ = canvas(4, 4)
    save(image, tmp_path / "a b.png")
    with Image.open(tmp_path / "a b.png") as read:
        assert read.size == (4, 4)
    with pytest.raises(ValueError, match="no picture format has the suffix '.txt'"):
        save(image, tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a b.png"]
