"""Two segmentations compared: figures, lines, page, and one line for what can't be compared."""

import json

import numpy as np
import pytest
from run_files import one_error_line

from glore_video.cli.compare import main
from glore_video.statistics.confusion import class_iou, mean_iou
from glore_video.statistics.iou_intervals import (
    iou_difference_intervals,
)
from glore_video.tasks.classification import SavedScores, ViewPlan, save_scores
from glore_video.tasks.segmentation.comparison import compare
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions
from glore_video.tasks.segmentation.saved_confusions import load_confusions, save_confusions

NASTY = "<script>alert(1)</script> & \"x\" 'y'"
NAMES = (NASTY, "road", "nowhere")
PIXELS = np.array([600, 400])


def matrices(right, seed=0):
    """float32 (pictures, 3, 4): two classes of 600 and 400 pixels, the share of each that is right."""
    found = np.zeros((len(right), 3, 4), np.float32)
    rights = np.random.default_rng(seed).binomial(PIXELS, np.asarray(right)[:, None])
    found[:, [0, 1], [0, 1]] = rights
    found[:, [0, 1], [1, 0]] = PIXELS - rights
    return found


def write(folder, found, *, paths=None, names=NAMES):
    paths = [f"{NASTY}/{n}.png" for n in range(len(found))] if paths is None else paths
    (folder / "test").mkdir(parents=True)
    colours = np.zeros((len(names), 3), np.uint8)
    save_confusions(folder / "test", PictureConfusions(found, tuple(paths)), names, colours)
    return str(folder)


@pytest.fixture
def runs(tmp_path):
    """a; b, 5 percent better in all of 40 pictures; others that don't fit."""
    shares = np.random.default_rng(2).uniform(0.5, 0.9, 40)
    a, b = matrices(shares), matrices(shares + 0.05, seed=1)
    a[0, 0] = [0, 0, 0, 600]  # scores that are not finite
    root = tmp_path / "ünd spaces"
    other = b.copy()
    other[3, 0, 0] += 1
    scores = SavedScores(
        source="",
        paths=("x.png",),
        labels=np.zeros(1, dtype=np.int64),
        logits=np.zeros((1, 1, 3), np.float32),
        class_names=NAMES,
        plan=ViewPlan(clips=1, crops=1),
    )
    (root / "classes" / "test").mkdir(parents=True)
    save_scores(root / "classes" / "test" / "scores.npz", scores)
    (root / "empty").mkdir()
    (root / "text.npz").write_text("no archive")
    np.savez(root / "others.npz", matrices=np.zeros(3), paths=np.zeros(2))
    return {
        "a": write(root / "a", a),
        "b": write(root / "b", b),
        "fewer": write(root / "fewer", b[1:], paths=[f"{NASTY}/{n}.png" for n in range(1, 40)]),
        "moved": write(root / "moved", b, paths=[f"/disk/{n}.png" for n in range(40)]),
        "masks": write(root / "masks", other),
        "named": write(root / "named", b, names=(NASTY, "street", "nowhere")),
        "nothing": write(root / "nothing", 0 * b),
        **{name: str(root / name) for name in ("classes", "empty", "text.npz", "others.npz")},
        "file": str(root / "b" / "test" / "confusions.npz"),
    }


def test_two_runs(runs, tmp_path, capsys):
    out = tmp_path / "compärison"
    assert main([runs["a"], runs["b"], "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    a, b = (load_confusions(runs[name]).matrices.astype(float) for name in "ab")
    difference = float(mean_iou(b.sum(0)) - mean_iou(a.sum(0)))
    (low, high), _ = iou_difference_intervals(a[None], b[None])
    assert 0 < low < difference < high
    assert (
        f"difference   {difference:+6.2f}   95%: {low:+.2f} to {high:+.2f}  (40 pictures)" in lines
    )
    assert "The second is better: the interval of the difference does not hold 0." in lines
    assert any(line.startswith("2 of 2 classes have an interval without 0") for line in lines)
    assert any("pixels of 1 pictures have no finite scores" in line for line in lines)
    assert lines[-1] == f"wrote {out / 'comparison.html'}"

    (found,) = json.loads((out / "comparison.json").read_text())["comparisons"]
    assert (found["pictures"], found["seed_p"], found["missing"]) == (40, None, {})
    assert found["first_miou"] == [pytest.approx(float(mean_iou(a.sum(0))))]
    first, road, nowhere = found["classes"]
    assert (first["name"], first["share"]) == (NASTY, pytest.approx(60))
    assert road["second"] == pytest.approx(class_iou(b.sum(0))[1])
    assert road["interval"] == pytest.approx(
        iou_difference_intervals(a[None], b[None])[1][1].tolist()
    )
    assert (nowhere["first"], nowhere["interval"]) == (None, [None, None])
    changes = [each["difference"] for each in found["by_picture"]]
    assert changes == sorted(changes)
    expected = mean_iou(b) - mean_iou(a)
    assert changes == pytest.approx(np.sort(expected).tolist())
    best = found["by_picture"][-1]
    assert best["path"] == f"{NASTY}/{expected.argmax()}.png"
    assert any(line.startswith(f"  {best['path']}: {best['first']:.1f}% -> ") for line in lines)

    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Pictures that gain most" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_run_against_itself(runs, capsys):
    assert main([runs["b"], runs["file"]]) == 0
    lines = capsys.readouterr().out.splitlines()
    reach = 100 * (1 - 0.025 ** (1 / 40))
    assert f"difference    +0.00   95%: -{reach:.2f} to +{reach:.2f}  (40 pictures)" in lines
    assert "The interval of the difference holds 0." in lines
    assert not [line for line in lines if line.startswith("  ")]


def test_seeds(runs, tmp_path, capsys):
    words = ["--a", runs["a"], runs["a"], "--b", runs["b"], runs["moved"], "--match", "name"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "standard deviation over 2 runs 0.00" in out
    assert "paired t test over 2 seeds: p" in out
    assert "Seeds" in (tmp_path / "comparison.html").read_text(encoding="utf-8")


def test_the_mean_of_seeds_is_what_is_compared():
    shares = np.random.default_rng(3).uniform(0.5, 0.9, 30)
    sides = [np.stack([matrices(shares + gain, seed=s) for s in (0, 1, 2)]) for gain in (0, 0.04)]
    (low, high), by_class = iou_difference_intervals(*sides)
    gain = float((mean_iou(sides[1].sum(1)) - mean_iou(sides[0].sum(1))).mean())
    assert low < gain < high
    one, _ = iou_difference_intervals(sides[0][:1], sides[1][:1])
    assert high - low < one[1] - one[0]  # noise of single runs is averaged out
    assert by_class.shape == (3, 2)
    assert np.isnan(by_class[2]).all()


def test_interval_of_a_class_holds_the_truth_in_95_of_100_tests():
    drawn = np.random.default_rng(4)
    held = 0
    for number in range(150):
        shares = drawn.uniform(0.6, 0.8, 50)
        first, second = (
            matrices(shares, seed=2 * number),
            matrices(shares + 0.1, seed=2 * number + 1),
        )
        _, by_class = iou_difference_intervals(first[None], second[None], samples=300, seed=number)
        # Of 1000 pixels 600 r or 400 r are found, and 1000 (1 - r) are in the other class' places.
        truth = [
            100
            * (
                share * 0.8 / (share + (1 - share) * 0.2)
                - share * 0.7 / (share + (1 - share) * 0.3)
            )
            for share in (0.6, 0.4)
        ]
        held += by_class[0, 0] <= truth[0] <= by_class[0, 1]
    assert 0.88 <= held / 150 <= 0.99


def test_pictures_that_a_run_lacks(runs, tmp_path, capsys):
    assert main([runs["a"], runs["fewer"]]) == 2
    line = one_error_line(capsys)
    assert "lacks 1" in line
    assert "--allow-missing compares the 39 pictures that all have" in line
    assert main([runs["a"], runs["fewer"], "--allow-missing", "--out", str(tmp_path)]) == 0
    assert "(39 pictures)" in capsys.readouterr().out
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "lacks 1 pictures" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "classes"], "a is a test of a segmentation, "),
        (["classes", "b"], "classes is a test of a classification, "),
        (["a", "masks"], "masks/test/confusions.npz: 1 pictures have another mask than in "),
        (["a", "named"], "the classes are not the same, class 1 is 'street' against 'road'"),
        (["a", "moved"], "--match name leaves folders away"),
        (["a", "nothing"], "nothing/test/confusions.npz: no pixel was scored"),
        (
            ["a", "empty"],
            "empty: holds no scores.npz or confusions.npz, and its folder test neither",
        ),
        (["a", "text.npz"], "text.npz: is no scores.npz or confusions.npz of a test"),
        (["a", "others.npz"], "others.npz: is no confusions.npz of a test"),
        (
            ["a", "b", "--correction", "bh"],
            "--correction: tests of a segmentation have no tests to",
        ),
    ],
)
def test_errors_are_one_line(runs, capsys, words, message):
    assert main([runs.get(word, word) for word in words]) == 2
    assert message in one_error_line(capsys)


def test_files_whose_parts_do_not_fit_are_refused(tmp_path):
    for number, (matrix, paths, message) in enumerate(
        (
            (np.ones((2, 3, 4)), ["a"], "for 1 pictures and 3 classes"),
            (np.ones((1, 3, 2)), ["a"], "shape (1, 3, 2)"),
            (np.full((1, 3, 4), np.nan), ["a"], "some are negative or not finite"),
            (-np.ones((1, 3, 4)), ["a"], "some are negative or not finite"),
        )
    ):
        folder = write(tmp_path / str(number), matrix, paths=paths)
        with pytest.raises(ValueError, match="confusions.npz: ") as error:
            load_confusions(folder)
        assert message in str(error.value)


def test_columns_of_no_class_may_be_more_in_one_run(runs):
    a = load_confusions(runs["a"])
    wider = load_confusions(runs["b"])
    wide = np.pad(wider.matrices, ((0, 0), (0, 0), (0, 2)))
    other = type(wider)(**{**vars(wider), "matrices": wide})
    assert compare([a], [other]).difference == compare([a], [wider]).difference
