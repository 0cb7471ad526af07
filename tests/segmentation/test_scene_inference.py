"""Whole pictures, windows, scales and mirror images."""

import pytest
import torch
from torch.nn import functional as F

from glore_video.errors import UsageError
from glore_video.tasks.segmentation.scene_inference import SceneInference, window_starts


def picture(height=20, width=30):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, height, width, 3), generator=generator, dtype=torch.uint8)


def pointwise(inputs):
    """Logits (n, 3, h, w) of each pixel by itself."""
    values = inputs.double() / 50
    return torch.stack([values[:, 0], values[:, 1] - 1, values[:, 0] * values[:, 2]], dim=1)


class Noting:
    def __init__(self, forward=pointwise):
        self.forward, self.shapes = forward, []

    def __call__(self, inputs):
        self.shapes.append(tuple(inputs.shape))
        return self.forward(inputs)


def test_a_whole_picture():
    noting = Noting()
    seen = SceneInference().probabilities(noting, picture(), 4)
    assert noting.shapes == [(1, 3, 20, 30)]
    expected = pointwise(picture().permute(0, 3, 1, 2)).softmax(1)[0]
    torch.testing.assert_close(seen, expected.float())


@pytest.mark.parametrize("stride", [1 / 3, 2 / 3, 1.0])
def test_windows_of_a_network_that_sees_pixels_alone_change_nothing(stride):
    noting = Noting()
    inference = SceneInference(window=(8, 12), stride=stride)
    seen = inference.probabilities(noting, picture(), 5)
    whole = SceneInference().probabilities(pointwise, picture(), 5)
    torch.testing.assert_close(seen, whole)
    assert all(shape[2:] == (8, 12) and shape[0] <= 5 for shape in noting.shapes)
    count = len(window_starts(20, 8, stride)) * len(window_starts(30, 12, stride))
    assert sum(shape[0] for shape in noting.shapes) == count


def test_overlapping_windows_average_their_logits():
    def position(inputs):  # a logit that is the column within the window
        columns = torch.arange(inputs.shape[3], dtype=torch.float32)
        return (
            torch.stack([columns, 0 * columns])
            .view(1, 2, 1, -1)
            .expand(len(inputs), 2, inputs.shape[2], inputs.shape[3])
        )

    seen = SceneInference(window=(4, 4), stride=0.5).probabilities(position, picture(4, 8), 1)
    # Windows begin at 0, 2 and 4.
    logits = torch.tensor([0, 1, (2 + 0) / 2, (3 + 1) / 2, (2 + 0) / 2, (3 + 1) / 2, 2, 3])
    torch.testing.assert_close(seen[0, 0], torch.sigmoid(logits))


def test_a_picture_within_a_window_is_looked_at_whole():
    noting = Noting()
    SceneInference(window=(20, 40)).probabilities(noting, picture(), 4)
    assert noting.shapes == [(1, 3, 20, 30)]
    noting = Noting()
    SceneInference(window=(32, 16)).probabilities(noting, picture(), 4)
    assert {shape[1:] for shape in noting.shapes} == {(3, 20, 16)}


def test_mirror_images_are_turned_back():
    seen = SceneInference(flip=True).probabilities(pointwise, picture(), 4)
    torch.testing.assert_close(seen, SceneInference().probabilities(pointwise, picture(), 4))

    def left(inputs):  # the left half is class 0
        ramp = torch.linspace(4, -4, inputs.shape[3]).expand(1, 1, inputs.shape[2], -1)
        return torch.cat([ramp, -ramp], dim=1)

    both = SceneInference(flip=True).probabilities(left, picture(), 4)
    torch.testing.assert_close(both, torch.full_like(both, 0.5))


def test_scales_are_averaged_at_the_size_of_the_picture():
    noting = Noting()
    seen = SceneInference(scales=(0.5, 1.5)).probabilities(noting, picture(), 4)
    assert noting.shapes == [(1, 3, 10, 15), (1, 3, 30, 45)]
    assert seen.shape == (3, 20, 30)
    torch.testing.assert_close(seen.sum(0), torch.ones(20, 30))


def test_outputs_may_be_smaller_and_have_names():
    def strided(inputs):
        return {"out": F.avg_pool2d(pointwise(inputs).float(), 5)}

    seen = SceneInference().probabilities(strided, picture(), 4)
    logits = F.avg_pool2d(pointwise(picture().permute(0, 3, 1, 2)).float(), 5)
    expected = F.interpolate(logits, (20, 30), mode="bilinear").softmax(1)[0]
    torch.testing.assert_close(seen, expected)


@pytest.mark.parametrize(
    ("length", "window", "stride", "starts"),
    [
        (10, 10, 0.5, [0]),
        (10, 12, 0.5, [0]),
        (10, 4, 0.5, [0, 2, 4, 6]),
        (11, 4, 0.5, [0, 2, 4, 6, 7]),
        (10, 4, 0.01, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_windows_reach_the_end(length, window, stride, starts):
    assert list(window_starts(length, window, stride)) == starts


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"short_side": 12},
        {"flip": True, "scales": (0.5, 1)},
        {"window": (8, 12)},
        {"window": (8, 12), "flip": True},
    ],
)
@pytest.mark.parametrize("stride", [1, 4])
def test_the_most_likely_class(options, stride):
    def forward(inputs):
        logits = F.avg_pool2d(pointwise(inputs), stride)
        return logits - logits.mean((2, 3), keepdim=True)  # or one class is the highest everywhere

    inference = SceneInference(**options)
    found = inference.class_map(forward, picture(), 3)
    seen = inference.probabilities(forward, picture(), 3)
    assert (found.dtype, found.shape) == (torch.uint8, (20, 30))
    assert torch.equal(found.long(), seen.argmax(0))
    assert len(found.unique()) == 3


def test_pixels_without_a_number_are_of_no_class():
    def forward(inputs):
        logits = pointwise(inputs)
        logits[:, 1, 3, 5] = float("nan")
        return logits

    for options in ({}, {"flip": True}):
        inference = SceneInference(**options)
        found = inference.class_map(forward, picture(), 1)
        places = {(3, 5), (3, 24)} if options else {(3, 5)}
        assert {tuple(place) for place in (found == 3).nonzero().tolist()} == places


def test_words():
    assert SceneInference().words == "whole pictures"
    inference = SceneInference(scales=(0.5, 1), flip=True, window=(512, 1024))
    assert inference.words == "windows of 512 x 1024, scales 0.5, 1, mirror images"


@pytest.mark.parametrize(
    "wrong",
    [{"scales": ()}, {"scales": (0.0,)}, {"window": (3,)}, {"window": (0, 4)}, {"stride": 0}],
)
def test_what_can_not_be_is_refused(wrong):
    with pytest.raises(UsageError, match="must be"):
        SceneInference(**wrong)
