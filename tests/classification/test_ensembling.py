"""Which saved views a smaller test takes, by hand and against the clip sampling itself."""

import numpy as np
import pytest
import torch

from glore_video.tasks.classification import SavedScores, ViewPlan, choose_views, ensemble
from glore_video.video.clip_sampling import ClipSampling, view_starts


def plan(clips, crops=1, spacing="slowfast", **more):
    return ViewPlan(clips=clips, crops=crops, spacing=spacing, **more)


@pytest.mark.parametrize(
    ("saved", "spacing", "wanted", "views", "exact"),
    [
        (10, "slowfast", 10, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), True),
        (10, "slowfast", 5, (0, 2, 4, 6, 8), True),
        (10, "slowfast", 2, (0, 5), True),
        (10, "slowfast", 3, (0, 3, 7), False),
        (10, "slowfast", 4, (0, 2, 5, 7), False),
        (10, "slowfast", 1, (5,), False),
        (5, "slowfast", 1, (2,), False),
        (1, "slowfast", 1, (0,), True),
        (10, "ends", 4, (0, 3, 6, 9), True),
        (10, "ends", 2, (0, 9), True),
        (10, "ends", 5, (0, 2, 4, 7, 9), False),
        (10, "ends", 1, (4,), False),
        (5, "ends", 3, (0, 2, 4), True),
        (5, "ends", 1, (2,), False),
        (2, "ends", 1, (0,), False),
    ],
)
def test_clips(saved, spacing, wanted, views, exact):
    choice = choose_views(plan(saved, spacing=spacing), clips=wanted, crops=1)
    assert (choice.views, choice.exact) == (views, exact)
    assert bool(choice.notes) == (not exact)


@pytest.mark.parametrize("spacing", ["slowfast", "ends"])
@pytest.mark.parametrize("frames", [5, 16, 57, 58, 97, 250, 251])
def test_exact_choices_start_where_a_smaller_test_starts(spacing, frames):
    clip = ClipSampling(num_frames=8, stride=2)
    for saved in range(1, 31):
        starts = view_starts(saved, frames, clip, 25, spacing=spacing)
        for wanted in range(1, saved + 1):
            choice = choose_views(plan(saved, spacing=spacing), clips=wanted, crops=1)
            expected = view_starts(wanted, frames, clip, 25, spacing=spacing)
            chosen = [starts[view] for view in choice.views]
            if choice.exact:
                assert chosen == expected, (saved, wanted)
            elif wanted == 1 and (saved - (spacing == "ends")) % 2 == 0:
                assert expected[0] - 1 <= chosen[0] <= expected[0]  # as the note says
            assert sorted(set(choice.views)) == list(choice.views)


def test_crops():
    choice = choose_views(plan(4, crops=3, short_side=224), clips=2, crops=3)
    assert choice.views == (0, 1, 2, 6, 7, 8)
    choice = choose_views(plan(4, crops=3, short_side=224), clips=2, crops=1)
    assert choice.views == (1, 7)
    assert choice.exact
    assert "DATA.TEST_SHORT_SIDE is the short side 224" in choice.notes[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clips": 11, "crops": 1}, "clips must be 1 to 10, those that were scored; got 11"),
        ({"clips": 0, "crops": 1}, "clips must be 1 to 10"),
        ({"clips": 1, "crops": 2}, "crops must be 1 or 3; got 2"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        choose_views(plan(10, crops=3), **arguments)


def test_unknown_spacing_is_asked_for():
    with pytest.raises(ValueError, match="do not say how their clips are spaced"):
        choose_views(plan(10, spacing=None), clips=5, crops=1)
    assert choose_views(plan(10, spacing=None), clips=10, crops=1).exact
    with pytest.raises(ValueError, match="crops must be 1, as it was scored; got 3"):
        choose_views(plan(10, spacing=None), clips=10, crops=3)


def saved(probabilities, labels=(0, 1), paths=("a", "b"), source="one", **more):
    logits = np.log(np.array(probabilities)).astype(np.float32)
    return SavedScores(
        source=source,
        paths=tuple(paths),
        labels=np.array(labels),
        logits=logits,
        class_names=("x", "y", "z"),
        plan=plan(logits.shape[1], **more),
    )


FIRST = [[[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], [[0.2, 0.4, 0.4], [0.6, 0.3, 0.1]]]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("mean", [[0.4, 0.5, 0.1], [0.4, 0.35, 0.25]]),
        ("max", [[0.7 / 1.6, 0.8 / 1.6, 0.1 / 1.6], [0.6 / 1.4, 0.4 / 1.4, 0.4 / 1.4]]),
        # Roots of the products (0.07, 0.16, 0.01) and (0.12, 0.12, 0.04), scaled to sum to 1.
        ("logit_mean", [[0.346042, 0.523166, 0.130792], [0.387995, 0.387995, 0.224009]]),
    ],
)
def test_methods(method, expected):
    result = ensemble([saved(FIRST)], clips=2, crops=1, method=method)
    np.testing.assert_allclose(result.probabilities.numpy(), expected, atol=1e-6)


def test_one_clip_of_two():
    result = ensemble([saved(FIRST)], clips=1, crops=1)
    np.testing.assert_allclose(
        result.probabilities.numpy(), [[0.1, 0.8, 0.1], [0.6, 0.3, 0.1]], atol=1e-6
    )
    assert not result.choice.exact


def test_late_fusion_averages_by_path():
    other = saved([[[0.2, 0.2, 0.6]], [[0.1, 0.1, 0.8]]], (1, 0), ("b", "a"), "two")
    result = ensemble([saved([[FIRST[0][0]], [FIRST[1][0]]]), other], clips=1, crops=1)
    np.testing.assert_allclose(
        result.probabilities.numpy(), [[0.4, 0.15, 0.45], [0.2, 0.3, 0.5]], atol=1e-6
    )
    assert result.paths == ("a", "b")


def test_a_video_that_is_listed_twice_is_two():
    first = saved([[FIRST[0][0]], [FIRST[1][0]]], (0, 0), ("a", "a"))
    result = ensemble([first, first], clips=1, crops=1)
    np.testing.assert_allclose(
        result.probabilities.numpy(), [[0.7, 0.2, 0.1], [0.2, 0.4, 0.4]], atol=1e-6
    )


@pytest.mark.parametrize(
    ("paths", "labels", "message"),
    [
        (("a", "c"), (0, 1), r"two: not the videos of one: 1 missing \(b\), 1 surplus \(c\)"),
        (("b", "a"), (0, 1), "two: 2 videos have another label than in one, a among them"),
    ],
)
def test_fusing_other_videos_is_refused(paths, labels, message):
    with pytest.raises(ValueError, match=message):
        ensemble([saved(FIRST), saved(FIRST, labels, paths, "two")], clips=2, crops=1)


def test_large_arrays_are_combined_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(50, 4, 7)).astype(np.float32))
    from glore_video.tasks.classification import merged_probabilities
    from glore_video.tasks.classification import views_merging as views

    whole = merged_probabilities(logits)
    monkeypatch.setattr(views, "_CHUNK_NUMBERS", 3 * 4 * 7)
    assert torch.equal(merged_probabilities(logits), whole)


def test_matched_by_file_name():
    first = saved([[FIRST[0][0]], [FIRST[1][0]]], paths=("/one/x/a.mp4", "/one/y/b.mp4"))
    other = saved([[[0.2, 0.2, 0.6]], [[0.1, 0.1, 0.8]]], (1, 0), ("/two/b.mp4", "/two/a.mp4"))
    with pytest.raises(ValueError, match="2 missing"):
        ensemble([first, other], clips=1, crops=1)
    result = ensemble([first, other], clips=1, crops=1, match="name")
    np.testing.assert_allclose(
        result.probabilities.numpy(), [[0.4, 0.15, 0.45], [0.2, 0.3, 0.5]], atol=1e-6
    )
    same = saved([[FIRST[0][0]], [FIRST[1][0]]], paths=("/x/a.mp4", "/y/a.mp4"), source="same")
    with pytest.raises(ValueError, match="same: /x/a.mp4 and /y/a.mp4 have the same name"):
        ensemble([same, same], clips=1, crops=1, match="name")
    with pytest.raises(ValueError, match="one of 'path', 'name', got 'label'"):
        ensemble([first, other], clips=1, crops=1, match="label")
