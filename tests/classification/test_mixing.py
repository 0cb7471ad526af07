"""Mixup, cutmix and soft targets, by hand."""

import math
import re

import pytest
import torch
from torch.nn.functional import cross_entropy

from glore_video.tasks.classification import mixing
from glore_video.tasks.classification.mixing import Mixing, cut_and_paste, cutmix_box


def mixer(**changes):
    settings = {
        "alpha": 0.8,
        "cutmix_alpha": 1.0,
        "probability": 1.0,
        "switch_probability": 0.5,
        "label_smoothing": 0.0,
        "num_classes": 4,
    }
    return Mixing(**(settings | changes))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def plain(*values, frames=2, height=4, width=6, dtype=torch.float32):
    """Clips (values, 3, frames, height, width), each of one value."""
    clips = torch.tensor(values, dtype=dtype).view(-1, 1, 1, 1, 1)
    return clips.expand(-1, 3, frames, height, width).contiguous()


def fixed(monkeypatch, weight, cuts):
    monkeypatch.setattr(Mixing, "_draw", lambda self, generator: (weight, cuts))


def test_mixup_by_hand(monkeypatch):
    fixed(monkeypatch, 0.75, False)
    clips, targets = mixer()(plain(0.0, 4.0, 8.0), torch.tensor([0, 1, 3]), generator())
    # 0.75 * own + 0.25 * the one from the end; the middle one is its own partner
    assert [set(clip.flatten().tolist()) for clip in clips] == [{2.0}, {4.0}, {6.0}]
    assert targets.tolist() == [[0.75, 0, 0, 0.25], [0, 1, 0, 0], [0.25, 0, 0, 0.75]]
    assert targets.dtype == torch.float32


def test_pictures_are_mixed_as_clips_are(monkeypatch):
    pictures, labels = plain(0.0, 4.0, 8.0)[:, :, 0], torch.tensor([0, 1, 3])
    fixed(monkeypatch, 0.75, False)
    blended, targets = mixer()(pictures, labels, generator())
    assert [set(each.flatten().tolist()) for each in blended] == [{2.0}, {4.0}, {6.0}]
    assert targets.tolist() == [[0.75, 0, 0, 0.25], [0, 1, 0, 0], [0.25, 0, 0, 0.75]]
    fixed(monkeypatch, 0.5, True)
    cut, _ = mixer()(pictures, labels, generator())
    assert cut.shape == pictures.shape
    assert {0.0, 8.0} == set(cut[0].flatten().tolist())


def test_mixup_of_bytes_is_rounded(monkeypatch):
    fixed(monkeypatch, 0.75, False)
    clips, _ = mixer()(plain(0, 255, dtype=torch.uint8), torch.tensor([0, 1]), generator())
    assert clips.dtype == torch.uint8
    assert [set(clip.flatten().tolist()) for clip in clips] == [{64}, {191}]


@pytest.mark.parametrize(
    ("weight", "row", "column", "box"),
    [
        # half of each side of 8 x 12: 4 rows, 6 columns
        (0.75, 4, 6, (2, 6, 3, 9)),
        (0.75, 0, 0, (0, 2, 0, 3)),
        (0.75, 7, 11, (5, 8, 8, 12)),
        (0.0, 4, 6, (0, 8, 0, 12)),
        (0.99, 4, 6, (4, 4, 6, 6)),  # a tenth of 8 rows is less than one
        (0.9, 4, 6, (3, 5, 5, 7)),  # 2.53 rows, 3.79 columns
    ],
)
def test_boxes_by_hand(monkeypatch, weight, row, column, box):
    places = iter([row, column])
    monkeypatch.setattr(mixing.torch, "randint", lambda *a, **k: torch.tensor(next(places)))
    assert cutmix_box(8, 12, weight, generator()) == box


def test_cut_and_paste_by_hand():
    clips = torch.arange(2 * 3 * 2 * 2 * 3, dtype=torch.float32).view(2, 3, 2, 2, 3)
    before = clips.clone()
    mixed, share = cut_and_paste(clips, (0, 1, 1, 3))
    assert share == pytest.approx(4 / 6)
    # channel 0, frame 0 of clip 0 is 0..5, of clip 1 36..41; the same columns in every frame
    assert mixed[0, 0].tolist() == [[[0, 37, 38], [3, 4, 5]], [[6, 43, 44], [9, 10, 11]]]
    assert mixed[1, 0].tolist() == [[[36, 1, 2], [39, 40, 41]], [[42, 7, 8], [45, 46, 47]]]
    assert torch.equal(clips, before)


def test_the_weight_of_a_cut_is_the_area_that_stayed(monkeypatch):
    fixed(monkeypatch, 0.75, True)
    cuts = set()
    for seed in range(30):
        clips, targets = mixer()(
            plain(0.0, 1.0, height=8, width=12), torch.tensor([2, 0]), generator(seed)
        )
        pasted = clips[0].mean().item()
        assert torch.equal(clips[1], 1 - clips[0])
        assert (clips[0] == clips[0, :1, :1]).all()  # the same box in all channels and frames
        assert targets[0].tolist() == pytest.approx([pasted, 0, 1 - pasted, 0])
        assert targets[1].tolist() == pytest.approx([1 - pasted, 0, pasted, 0])
        cuts.add(round(pasted, 6))
    assert max(cuts) == 0.25
    assert min(cuts) < 0.2  # some boxes reach over the edge


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 0.0, "cutmix_alpha": 0.0},
        {"probability": 0.0},
    ],
)
def test_no_mixing(settings):
    clips = plain(1.0, 2.0)
    for seed in range(5):
        mixed, targets = mixer(**settings)(clips, torch.tensor([3, 1]), generator(seed))
        assert mixed is clips
        assert targets.tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]


def test_label_smoothing_by_hand():
    mixed = mixer(alpha=0.0, cutmix_alpha=0.0, label_smoothing=0.2)
    _, targets = mixed(plain(1.0), torch.tensor([2]), generator())
    assert targets[0].tolist() == pytest.approx([0.05, 0.05, 0.85, 0.05])
    # what torch's own label smoothing means
    logits = torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    expected = cross_entropy(logits, torch.tensor([2]), label_smoothing=0.2)
    torch.testing.assert_close(cross_entropy(logits, targets), expected)


def test_loss_of_soft_targets_by_hand():
    # softmax of (0, log 3) is (1/4, 3/4)
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]], dtype=torch.bfloat16)
    loss = cross_entropy(logits.float(), torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
    expected = (0.5 * math.log(4) + 0.5 * math.log(4 / 3) + math.log(2)) / 2
    assert loss.item() == pytest.approx(expected, rel=2e-3)  # log 3 in bfloat16
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_targets_sum_to_one(smoothing):
    mix = mixer(label_smoothing=smoothing, num_classes=7)
    labels = torch.tensor([0, 6, 3, 3])
    for seed in range(20):
        _, targets = mix(plain(1.0, 2.0, 3.0, 4.0), labels, generator(seed))
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
        assert targets.min() >= 0


@pytest.mark.parametrize("alpha", [0.2, 0.8, 2.0])
def test_weights_follow_the_beta_distribution(alpha):
    mix = mixer(alpha=alpha, cutmix_alpha=0.0)
    weights = torch.tensor([mix._draw(generator(seed))[0] for seed in range(3000)])
    # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1))
    variance = 1 / (4 * (2 * alpha + 1))
    assert weights.mean().item() == pytest.approx(0.5, abs=4 * math.sqrt(variance / 3000))
    assert weights.var().item() == pytest.approx(variance, rel=0.1)


def test_shares_of_mixup_and_cutmix():
    mix = mixer(probability=0.6, switch_probability=0.25)
    draws = [mix._draw(generator(seed)) for seed in range(4000)]
    mixed = [cuts for weight, cuts in draws if weight < 1]
    assert len(mixed) / 4000 == pytest.approx(0.6, abs=0.04)
    assert sum(mixed) / len(mixed) == pytest.approx(0.25, abs=0.04)
    assert all(cuts for _, cuts in (mixer(alpha=0.0)._draw(generator(s)) for s in range(20)))
    assert not any(
        cuts for _, cuts in (mixer(cutmix_alpha=0.0)._draw(generator(s)) for s in range(20))
    )


def test_draws_depend_on_the_generator_alone():
    clips = torch.rand(4, 3, 2, 8, 8, generator=generator(9))
    labels = torch.tensor([0, 1, 2, 3])
    torch.manual_seed(1)
    first = mixer()(clips, labels, generator(5))
    torch.manual_seed(2)
    again = mixer()(clips, labels, generator(5))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], mixer()(clips, labels, generator(6))[0])


@pytest.mark.parametrize("cuts", [True, False])
def test_clips_keep_their_memory_format_and_their_own_values(monkeypatch, cuts):
    fixed(monkeypatch, 0.6, cuts)
    clips = torch.rand(4, 3, 2, 8, 8).contiguous(memory_format=torch.channels_last_3d)
    before = clips.clone()
    mixed, _ = mixer()(clips, torch.tensor([0, 1, 2, 3]), generator())
    assert mixed.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(clips, before)
    assert not torch.equal(mixed, before)


def test_one_clip_is_its_own_partner():
    clips = torch.rand(1, 3, 2, 8, 8)
    for seed in range(6):
        mixed, targets = mixer()(clips, torch.tensor([2]), generator(seed))
        torch.testing.assert_close(mixed, clips)
        torch.testing.assert_close(targets, torch.tensor([[0.0, 0.0, 1.0, 0.0]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0, got -1.0"),
        ({"cutmix_alpha": math.inf}, "cutmix_alpha must be at least 0, got inf"),
        ({"probability": 1.5}, "probability must be in 0..1, got 1.5"),
        ({"switch_probability": -0.1}, "switch_probability must be in 0..1, got -0.1"),
        ({"label_smoothing": 2}, "label_smoothing must be in 0..1, got 2"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
    ],
)
def test_numbers_out_of_range(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mixer(**settings)


def test_shapes_that_do_not_fit():
    message = "with a label each, got (2, 3, 2, 4, 6) and labels (3,)"
    with pytest.raises(ValueError, match=re.escape(message)):
        mixer()(plain(1.0, 2.0), torch.tensor([0, 1, 2]), generator())
    with pytest.raises(ValueError, match=re.escape("got (3, 2, 4, 6)")):
        mixer()(plain(1.0)[0], torch.tensor([0, 1, 2]), generator())
