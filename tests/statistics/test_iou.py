"""Intersection over union, against literal answers and against the benchmark's own evaluation."""

import numpy as np
import pytest
import torch
from cityscapes_benchmark import official_scores
from PIL import Image
from scene_miniature import BICYCLE, CAR, CARAVAN, PERSON, ROAD, SKY, VEGETATION, write_cityscapes

from glore_video.data.masks.cityscapes_labels import LABELS, cityscapes_classes
from glore_video.data.masks.layouts import load_pairs
from glore_video.data.masks.reading import read_pair
from glore_video.errors import UsageError
from glore_video.images.masks import read_mask
from glore_video.statistics.confusion import (
    IGNORED,
    class_accuracy,
    class_iou,
    confusion_matrix,
    group_iou,
    grouped,
    mean_iou,
    mean_of_known,
    pixel_accuracy,
)
from glore_video.statistics.instance_iou import (
    InstanceRules,
    class_iiou,
    group_iiou,
    instance_counts,
)
from glore_video.statistics.iou_intervals import iou_difference_intervals, mean_iou_interval

NAN = float("nan")
# 12 pixels of class 0, 5 of class 1; class 2 is predicted alone, class 3 never; last column: no class.
MATRIX = np.array([[9, 1, 1, 0, 1], [0, 4, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_confusion_matrix(dtype):
    truth = torch.tensor([[0, 0, 1], [255, 1, 2]], dtype=dtype)
    prediction = torch.tensor([[0, 1, 1], [0, 3, 2]], dtype=dtype)
    counts = confusion_matrix(prediction, truth, 3, columns=4)
    assert counts.dtype == torch.int64
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    nothing = torch.zeros((0, 4), dtype=dtype)
    assert confusion_matrix(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


def test_a_truth_is_left_as_it_is():
    truth = torch.tensor([0, 1], dtype=torch.int32)
    confusion_matrix(truth, truth, 2)
    assert truth.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("prediction", "truth", "columns", "words"),
    [
        ([0, 4], [0, 0], 4, "prediction must hold whole numbers from 0 to 3, got 0 to 4"),
        ([-1, 0], [0, 0], 4, "from 0 to 3, got -1 to 0"),
        ([0, 0], [0, 256], 4, "truth must hold whole numbers from 0 to 255, got 0 to 256"),
        ([0, 0], [0, 7], 4, "truth must hold 0 .. 2 or 255, got 7"),
        ([0], [0, 1], 4, r"shape \(1,\) can't be held against a truth of shape \(2,\)"),
        ([0, 0], [0, 1], 2, "from 1 to 255 classes and as many columns or more, got 3 and 2"),
    ],
)
def test_what_can_not_be_counted(prediction, truth, columns, words):
    with pytest.raises(UsageError, match=words):
        confusion_matrix(torch.tensor(prediction), torch.tensor(truth), 3, columns=columns)


def test_figures():
    np.testing.assert_allclose(class_iou(MATRIX), [75, 400 / 6, 0, NAN])
    np.testing.assert_allclose(class_accuracy(MATRIX), [75, 80, NAN, NAN])
    assert pixel_accuracy(MATRIX) == pytest.approx(100 * 13 / 17)
    assert mean_iou(MATRIX) == pytest.approx((75 + 400 / 6 + 0) / 3)
    assert grouped(MATRIX, [0, 0, 1, 1]).tolist() == [[14, 1, 2], [0, 0, 0]]
    np.testing.assert_allclose(group_iou(MATRIX, [0, 0, 1, 1]), [100 * 14 / 17, 0])


def test_figures_of_many_matrices():
    many = np.stack([MATRIX, 2 * MATRIX, 0 * MATRIX])
    np.testing.assert_allclose(class_iou(many)[1], [75, 400 / 6, 0, NAN])
    assert np.isnan(class_iou(many)[2]).all()
    np.testing.assert_allclose(mean_iou(many)[:2], mean_iou(MATRIX))
    assert np.isnan(mean_iou(many)[2])
    assert np.isnan(pixel_accuracy(many)[2])


def test_bad_matrices():
    with pytest.raises(UsageError, match=r"classes or more\), got shape \(3, 2\)"):
        class_iou(np.zeros((3, 2)))
    with pytest.raises(UsageError, match=r"each of 4 classes needs a group from 0, got \[0\]"):
        group_iou(MATRIX, [0])
    with pytest.raises(UsageError, match=r"\(pictures, classes, columns\), got \(2, 2\)"):
        mean_iou_interval(np.zeros((2, 2)))
    with pytest.raises(UsageError, match="on the same pictures and classes"):
        iou_difference_intervals(np.zeros((1, 2, 3, 3)), np.zeros((1, 3, 3, 3)))
    with pytest.raises(UsageError, match="level must be between 0 and 1, got 2"):
        mean_iou_interval(np.ones((2, 2, 2)), level=2)


# Intervals


def drawn_matrices(rng, accuracies, pixels=100):
    """Two classes of as many pixels; accuracies (pictures,)."""
    right = rng.binomial(pixels, accuracies[:, None], size=(len(accuracies), 2))
    matrices = np.zeros((len(accuracies), 2, 2))
    matrices[:, [0, 1], [0, 1]] = right
    matrices[:, [0, 1], [1, 0]] = pixels - right
    return matrices


def test_interval_of_the_mean_iou_holds_the_truth_in_95_of_100_tests():
    rng = np.random.default_rng(0)
    held = 0
    for number in range(200):
        matrices = drawn_matrices(rng, rng.uniform(0.6, 1.0, 100))
        low, high = mean_iou_interval(matrices, samples=400, seed=number)
        held += low <= 100 * 0.8 / 1.2 <= high  # 80% right of both classes
    assert 0.90 <= held / 200 <= 0.99


def test_interval_of_a_difference_is_of_the_same_pictures():
    rng = np.random.default_rng(1)
    accuracies = rng.uniform(0.3, 0.9, 60)
    first = drawn_matrices(rng, accuracies, 10_000)
    second = drawn_matrices(rng, accuracies + 0.02, 10_000)
    (low, high), _ = iou_difference_intervals(first[None], second[None])
    assert 0 < low < mean_iou(second.sum(0)) - mean_iou(first.sum(0)) < high
    alone = mean_iou_interval(first)
    assert high - low < 0.2 * (alone[1] - alone[0])


def test_intervals_of_what_says_little():
    none = np.zeros((3, 2, 2))
    assert np.isnan(mean_iou_interval(none)).all()
    assert np.isnan(iou_difference_intervals(none[None], none[None])[0]).all()
    assert np.isnan(mean_iou_interval(np.zeros((0, 2, 2)))).all()
    # Two pictures that are right, one that is ignored: other pictures may be wrong.
    low, high = mean_iou_interval(np.stack([np.eye(2), np.eye(2), np.zeros((2, 2))]))
    assert (low, high) == (pytest.approx(100 * 0.025**0.5), 100)


# Against cityscapesscripts


def predict_badly(labels, number):
    """Label ids with faults of all kinds; some of them are of classes that are not tested."""
    rng = np.random.default_rng(number)
    predicted = np.roll(labels, (3, 5), (0, 1))
    predicted[np.isin(predicted, (0, 1, 3, 9))] = ROAD
    predicted[rng.random(labels.shape) < 0.03] = SKY
    predicted[labels == CAR] = np.where(rng.random((labels == CAR).sum()) < 0.3, CARAVAN, CAR)
    predicted[:8, :40] = 4  # "static"
    predicted[-30:-20, 60:90] = BICYCLE
    predicted[40:50, 200:210] = PERSON
    predicted[labels == VEGETATION] = VEGETATION
    return predicted


def columns_of_labels():
    """Label id -> column: classes, then one for what is of no class, then one for other vehicles."""
    columns = np.array([label.class_number for label in LABELS])
    other = np.array([label.instance_size > 0 for label in LABELS])
    return np.select([columns != IGNORED, other], [columns, 20], 19).astype(np.uint8)


def test_figures_are_those_of_cityscapesscripts(tmp_path, monkeypatch):
    write_cityscapes(tmp_path, {"val": 4})
    samples, classes = load_pairs(tmp_path, "val"), cityscapes_classes()
    vehicle = classes.group_names.index("vehicle")
    rules = InstanceRules(
        class_of=classes.class_of_label,
        mean_sizes=classes.mean_instance_sizes,
        groups=classes.groups,
        column_groups=(*classes.groups, -1, vehicle),
    )
    matrix, counts, predictions = np.zeros((19, 21)), np.zeros((19, 4)), []
    for index in range(len(samples)):
        labels = read_mask(samples.mask(index)).numpy()
        predicted = predict_badly(labels, index)
        file = tmp_path / f"{index}.png"
        Image.fromarray(predicted).save(file)
        predictions.append(str(file))
        codes = columns_of_labels()[predicted]
        _, truth = read_pair(samples, index, classes.label_map)
        matrix += confusion_matrix(torch.from_numpy(codes), truth, 19, columns=21).numpy()
        instances = read_mask(samples.instances(index)).numpy()
        counts += instance_counts(codes, instances, rules)
    truths = [samples.mask(index) for index in range(len(samples))]
    official = official_scores(monkeypatch, predictions, truths)

    def theirs(kind, names):
        return [100 * official[kind][name] for name in names]

    close = {"rtol": 0, "atol": 1e-6, "equal_nan": True}
    iou = class_iou(matrix)
    np.testing.assert_allclose(iou, theirs("classScores", classes.names), **close)
    assert np.isnan(iou[classes.names.index("train")])
    assert 0 < iou[classes.names.index("car")] < 100
    np.testing.assert_allclose(
        group_iou(matrix, classes.groups), theirs("categoryScores", classes.group_names), **close
    )
    iiou = class_iiou(matrix, counts, rules)
    np.testing.assert_allclose(iiou, theirs("classInstScores", classes.names), **close)
    of_groups = group_iiou(matrix, counts, rules)
    np.testing.assert_allclose(
        of_groups, theirs("categoryInstScores", classes.group_names), **close
    )
    for values, name in (
        (iou, "averageScoreClasses"),
        (group_iou(matrix, classes.groups), "averageScoreCategories"),
        (iiou, "averageScoreInstClasses"),
        (of_groups, "averageScoreInstCategories"),
    ):
        assert mean_of_known(values) == pytest.approx(100 * official[name], abs=1e-6), name
        assert official[name] > 0.1


def test_instances_by_hand():
    """Two classes with instances of mean size 4 and 10 in one group, a third one without."""
    rules = InstanceRules(
        class_of=(255, 0, 1, 2), mean_sizes=(4, 10, NAN), groups=(0, 0, 1), column_groups=(0, 0, 1)
    )
    instances = np.array([[1001, 1001, 1002, 1002, 1002, 1002], [2001, 2001, 1, 1, 3, 3]])
    prediction = np.array([[0, 1, 0, 0, 0, 2], [1, 2, 1, 0, 2, 2]])
    counts = instance_counts(prediction, instances, rules)
    # Class 0: 1 of 2 pixels, weight 4 / 2, and 3 of 4, weight 4 / 4; class 1: 1 of 2, weight 10 / 2.
    assert counts.tolist() == [[5, 3, 7, 1], [5, 5, 5, 5], [0, 0, 0, 0]]
    truth = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 2, 2]])
    matrix = confusion_matrix(torch.from_numpy(prediction), torch.from_numpy(truth), 3).numpy()
    assert matrix.tolist() == [[5, 2, 1], [0, 1, 1], [0, 0, 2]]
    np.testing.assert_allclose(class_iiou(matrix, counts, rules), [500 / 8, 500 / 12, NAN])
    np.testing.assert_allclose(group_iiou(matrix, counts, rules), [1200 / 18, NAN])
    assert not instance_counts(prediction, np.ones_like(prediction), rules).any()


def test_instances_of_no_use():
    rules = InstanceRules(class_of=(255, 0), mean_sizes=(4,), groups=(0,), column_groups=(0,))
    prediction = np.zeros((1, 2), dtype=np.uint8)
    with pytest.raises(UsageError, match="instance 9003 is of label 9; there are labels up to 1"):
        instance_counts(prediction, np.array([[9003, 1001]]), rules)
    with pytest.raises(UsageError, match=r"shape \(1, 2\) can't be held against instances"):
        instance_counts(prediction, np.zeros((2, 2)), rules)
