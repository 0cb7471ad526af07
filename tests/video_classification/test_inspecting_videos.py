from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import glore_video
from glore_video.inspection import grad_cam, inspect_units, projection_maps
from glore_video.inspection.look import find_unit
from glore_video.models import zero_init_units
from glore_video.pixels.transforms import centre_crop, resize_short_side, to_clip
from glore_video.prediction.loading import load_predictor
from glore_video.tasks.video_classification.inspection import look
from glore_video.tasks.video_classification.inspection_pictures import map_frames
from glore_video.video import FrameTimes, open_video
from glore_video.video.writing import VideoWriter

ROOT = Path(__file__).parents[2]
UNIT = "stage2.0.glore"


@pytest.fixture
def ready(tiny_checkpoint):
    return load_predictor(weights=tiny_checkpoint)


def test_clips_cover_the_video(ready, moving_video):
    seen = look(moving_video, ready, most_clips=99)
    # 30 frames, clips of 4: eight of them, spread from the start to the end.
    assert [clip.frames[0] for clip in seen.clips] == [0, 3, 7, 11, 14, 18, 22, 26]
    assert [clip.start for clip in seen.clips][1:] == [clip.end for clip in seen.clips][:-1]
    assert (seen.clips[0].start, seen.clips[-1].end) == (0, 30)
    assert seen.square == (0, 12, 72)
    assert seen.clips[0].cam.shape == (4, 16, 16)
    times, values = seen.activity(UNIT)
    assert values.shape == (16, 8)
    assert times[0] == pytest.approx(0.2)  # the middle of frames 0 to 3 at 10 a second
    few = look(moving_video, ready, most_clips=2, cam=False)
    assert few.clips[0].cam is None
    assert few.activity(UNIT)[1].shape == (16, 8)  # 2 clips of 4 steps


@pytest.mark.parametrize("crops", [1, 3])
def test_looking_and_predicting_say_the_same(tiny_checkpoint, moving_video, crops):
    ready = load_predictor(weights=tiny_checkpoint, num_clips=4, num_crops=crops)
    predicted = glore_video.predict(moving_video, ready)
    seen = look(moving_video, ready, most_clips=2, cam=False)
    assert (ready.class_names[seen.target], seen.probability) == predicted.top(1)[0]
    other = look(moving_video, ready, target=1 - seen.target, most_clips=1, cam=False)
    assert other.probability == predicted.probabilities[1 - seen.target]


def test_shares_of_importance(ready, moving_video):
    seen = look(moving_video, ready, most_clips=2, cam=False)
    importances = [clip.units[UNIT].importance.tolist() for clip in seen.clips]
    means = [(a + b) / 2 for a, b in zip(*importances, strict=True)]
    expected = [abs(mean) / sum(map(abs, means)) for mean in means]
    assert seen.shares(UNIT).tolist() == pytest.approx(expected, rel=1e-5)


def test_grad_cam_of_a_network_without_units(moving_video):
    plain = load_predictor(cfg=ROOT / "configs" / "quickstart.yaml", untrained=True)
    seen = look(moving_video, plain, most_clips=2)
    assert [clip.units for clip in seen.clips] == [{}, {}]
    assert seen.clips[0].cam.shape == (4, 16, 16)
    with pytest.raises(ValueError, match="no GloRe unit, so without Grad-CAM nothing is left"):
        look(moving_video, plain, cam=False)


def test_times_of_a_variable_rate(ready, tmp_path):
    """16 frames a tenth of a second each, then 4 of a second each."""
    stamps = (*range(16), *range(16, 56, 10))
    times = FrameTimes(20, Fraction(190, 46), stamps, Fraction(1, 10))
    path = tmp_path / "v.mp4"
    with VideoWriter(path, fps=times.fps, times=times) as writer:
        writer.write(np.random.default_rng(0).integers(0, 255, (20, 72, 96, 3), dtype=np.uint8))
    seen = look(path, ready, most_clips=5, cam=False)
    assert [clip.frames[0] for clip in seen.clips] == [0, 4, 8, 12, 16]
    assert seen.clips[1].seconds == pytest.approx((0.4, 0.8))
    assert seen.clips[4].seconds == pytest.approx((1.6, 4.6 + 46 / 190))
    shown, _ = seen.activity(UNIT)
    # The middles of four steps; the last clip lasts as long as its four frames are shown.
    assert shown[:4] == pytest.approx([0.05, 0.15, 0.25, 0.35])
    length = 3 + 46 / 190
    assert shown[-4:] == pytest.approx([1.6 + length * (i + 0.5) / 4 for i in range(4)])


def test_maps_are_those_of_the_clip(ready, moving_video):
    seen = look(moving_video, ready, most_clips=2, cam=False)
    clip = seen.clips[1]
    with open_video(moving_video) as video:
        frames = video.frames(clip.frames)
    uint8 = to_clip(centre_crop(resize_short_side(frames, 64), 64))
    expected = projection_maps(ready.network, (uint8 / 255 - 0.45) / 0.225)
    torch.testing.assert_close(clip.units[UNIT].maps, expected[UNIT], rtol=1e-3, atol=1e-4)


def test_units_that_change_nothing_are_ranked_by_their_maps(ready, moving_video):
    zero_init_units(ready.network)
    seen = look(moving_video, ready, most_clips=1, cam=False)
    assert not seen.importance(UNIT).any()
    spread = seen.clips[0].units[UNIT].maps.flatten(1).std(1)
    assert seen.ranking(UNIT)[0] == int(spread.argmax())
    torch.nn.init.ones_(ready.network.stage2[0].glore.blocker.weight)
    seen = look(moving_video, ready, most_clips=1, cam=False)
    assert seen.ranking(UNIT)[0] == int(seen.importance(UNIT).abs().argmax())


def test_map_frames_between_the_steps(ready, moving_video):
    clip = look(moving_video, ready, most_clips=1, cam=False).clips[0]
    first = clip.frames[0]

    def middles(*frames):  # of frames at 10 a second
        return [(frame + 0.5) / 10 for frame in frames]

    steps = torch.arange(4.0).view(1, 4, 1, 1)
    at = map_frames(clip, steps, middles(0, first, first + 1, first + 3, 29), plain=True)
    assert at[0, :, 0, 0].tolist() == pytest.approx([0, 0, 1, 3, 3], abs=1e-5)

    seconds = middles(*range(first, first + 4))
    halves = map_frames(clip, steps[:, :2], seconds, plain=True)
    assert halves[0, :, 0, 0].tolist() == pytest.approx([0, 0.25, 0.75, 1], abs=1e-5)


@pytest.mark.parametrize("target", [0, 1])
def test_of_the_class_that_is_asked_about(ready, moving_video, target):
    seen = look(moving_video, ready, target=target, most_clips=1)
    clip = seen.clips[0]
    with open_video(moving_video) as video:
        frames = video.frames(clip.frames)
    shown = ready.input(to_clip(centre_crop(resize_short_side(frames, 64), 64)))
    expected = inspect_units(ready.network, shown, target=target).units[UNIT].importance
    torch.testing.assert_close(clip.units[UNIT].importance, expected)
    torch.testing.assert_close(clip.cam, grad_cam(ready.network, shown, target=target))
    assert seen.target == target


def test_find_unit():
    names = ["a.glore", "b.glore"]
    assert find_unit(names, "") == "b.glore"
    assert find_unit(names, "a") == find_unit(names, "a.glore") == "a.glore"
