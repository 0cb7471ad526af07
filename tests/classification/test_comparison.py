"""Two runs on the same videos, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from glore_video.tasks.classification.alignment import Predictions
from glore_video.tasks.classification.comparison import compare
from glore_video.tasks.classification.comparison_page import deciding_p, text_lines

NAMES = ("x", "y", "z")


def run(source, predicted, labels=None, paths=None, names=NAMES):
    labels = [0] * len(predicted) if labels is None else labels
    paths = [f"{n}.mp4" for n in range(len(predicted))] if paths is None else paths
    return Predictions(
        source=source,
        class_names=names,
        keys=tuple((path, 0) for path in paths),
        labels=np.array(labels),
        predicted=np.array(predicted),
    )


#                          right: a b b a . b b b
A = run("a", [0, 1, 2, 1, 0, 1, 0, 1], labels=[0, 0, 1, 1, 2, 2, 2, 2])
B = run("b", [0, 0, 1, 0, 1, 2, 2, 2], labels=[0, 0, 1, 1, 2, 2, 2, 2])


def test_two_runs():
    result = compare([A], [B])
    assert (result.first.top1, result.second.top1) == ((25.0,), (75.0,))
    assert result.difference == pytest.approx(50.0)
    assert (result.mcnemar.only_first, result.mcnemar.only_second) == (1, 5)
    assert result.mcnemar.p == pytest.approx(2 * 7 / 64)
    assert result.interval[0] < 50 < result.interval[1]
    assert result.seed_p is None
    assert [flip.path for flip in result.gained] == [f"{n}.mp4" for n in (1, 2, 5, 6, 7)]
    (lost,) = result.lost
    assert (lost.path, lost.label, lost.first, lost.second) == ("3.mp4", "y", ("y",), ("x",))
    x, y, z = result.classes
    assert (x.name, x.samples, x.first, x.second, x.p) == ("x", 2, 50.0, 100.0, 1.0)
    assert (y.first, y.second, y.p) == (50.0, 50.0, 1.0)
    assert (z.samples, z.first, z.second, z.p) == (4, 0.0, 75.0, 0.25)
    assert z.adjusted == 0.75
    assert compare([A], [B], correction="bh").classes[2].adjusted == 0.75


def test_order_of_the_list_does_not_matter():
    places = [3, 1, 7, 0, 2, 6, 5, 4]
    shuffled = run(
        "b", B.predicted[places], B.labels[places], [B.keys[place][0] for place in places]
    )
    straight, crooked = compare([A], [B]), compare([A], [shuffled])
    assert straight.gained == crooked.gained
    assert (crooked.mcnemar.only_first, crooked.mcnemar.only_second) == (1, 5)


def test_lists_that_do_not_match_are_refused_unless_told():
    few = run("few", B.predicted[:6], B.labels[:6])
    message = r"few lacks 2 \(6.mp4, ...\); allow_missing=True compares the 6 videos that all have"
    with pytest.raises(ValueError, match=message):
        compare([A], [few])
    result = compare([A], [few], allow_missing=True)
    assert (result.coverage.samples, result.coverage.missing) == (6, {"few": ("6.mp4", "7.mp4")})
    assert (result.mcnemar.only_first, result.mcnemar.only_second) == (1, 3)
    with pytest.raises(ValueError, match="no video that all runs have"):
        compare([A], [run("c", [0], paths=["other.mp4"])], allow_missing=True)


def test_other_labels_and_classes_are_refused():
    with pytest.raises(ValueError, match="c: 2 videos have another label than in a, 2.mp4"):
        compare([A], [run("c", B.predicted, [0, 0, 0, 0, 2, 2, 2, 2])])
    with pytest.raises(ValueError, match="class 1 is 'Y' against 'y'"):
        compare([A], [run("c", B.predicted, B.labels, names=("x", "Y", "z"))])
    with pytest.raises(ValueError, match="2 against 3"):
        compare([A], [run("c", B.predicted, B.labels, names=("x", "y"))])
    with pytest.raises(ValueError, match="at least one run"):
        compare([A], [])


def test_seeds():
    # Of 4 videos the first group has 2, 1, 2 right, the second 3, 3, 3: differences 25, 50, 25.
    first = [run(f"a{n}", p) for n, p in enumerate([[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 0, 1]])]
    second = [run(f"b{n}", p) for n, p in enumerate([[0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]])]
    result = compare(first, second)
    assert result.first.top1 == (50.0, 25.0, 50.0)
    assert result.second.top1 == (75.0, 75.0, 75.0)
    assert result.difference == pytest.approx(100 / 3)
    # t = (100 / 3) / (14.4338 / sqrt(3)) = 4 with 2 degrees of freedom: 0.0572 of a table.
    assert result.seed_p == pytest.approx(0.05719, abs=1e-5)
    assert result.mcnemar is None
    assert result.gained == result.lost == ()  # no video is wrong in all and right in all others
    # Videos 1 and 2 are better by one run, 3 by two, none is worse: 2 / 2**3.
    assert result.classes[0].p == 0.25


def test_groups_of_different_size_have_no_paired_test():
    result = compare([A], [B, B])
    assert (result.seed_p, result.mcnemar) == (None, None)
    assert result.difference == pytest.approx(50.0)
    assert {row.adjusted for row in result.classes} == {None}
    assert len(result.gained) == 5


def with_p(p):
    result = compare([A], [B])
    return replace(result, mcnemar=p if p is None else replace(result.mcnemar, p=p))


@pytest.mark.parametrize(
    ("values", "corrected"),
    [
        # Holm by hand: the least of three times 3, the next times 2, the last times 1.
        ([0.0395, 0.2, 0.04], [0.1185, 0.2, 0.1185]),
        ([0.0395, None, 0.2, 0.3], [0.1185, None, 0.4, 0.4]),
        ([None, 0.0395], [None, 0.0395]),
        ([None, None], [None, None]),
    ],
    ids=["all have a p", "one has none", "one has one", "none has one"],
)
def test_comparisons_without_a_p_do_not_spare_the_others_the_correction(values, corrected):
    comparisons = [with_p(p) for p in values]
    assert deciding_p(comparisons) == [p if p is None else pytest.approx(p) for p in corrected]
    said = "\n".join(text_lines(comparisons))
    known = sum(p is not None for p in values)
    assert said.count(f"corrected for {known} comparisons: p ") == (known if known > 1 else 0)
    assert said.count("corrected for") == (known if known > 1 else 0)


def test_runs_that_say_the_same_may_still_differ():
    result = compare([A], [A])
    assert result.difference == 0
    assert result.interval[0] < -30
    assert result.interval[1] > 30
