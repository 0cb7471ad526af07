"""Losses of classes: held against torch's and timm's own."""

import pytest
import torch
from torch import nn

from glore_video.config import load_config
from glore_video.tasks.classification.meter import ValidationMeter
from glore_video.tasks.classification.mixing import Mixing
from glore_video.tasks.classification.objective import BinaryCrossEntropy, CrossEntropy
from glore_video.tasks.video_classification.task import VideoClassification

LOGITS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 4, 2, 2, 1, 3])


def mixing(smoothing):
    return Mixing(
        alpha=0.3,
        cutmix_alpha=0.0,
        probability=1.0,
        switch_probability=0.0,
        label_smoothing=smoothing,
        num_classes=5,
    )


def test_binary_cross_entropy_by_hand():
    loss = BinaryCrossEntropy().of_each(torch.tensor([[0.0, 2.0]]), torch.tensor([1]))
    # -log sigmoid(2) = 0.126928, -log(1 - sigmoid(0)) = 0.693147
    torch.testing.assert_close(loss, torch.tensor([(0.126928 + 0.693147) / 2]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("threshold", [0.0, 0.2])
@pytest.mark.parametrize("mixed", [False, True], ids=["plain", "mixed"])
def test_binary_cross_entropy_equals_timms(smoothing, threshold, mixed):
    losses = pytest.importorskip("timm.loss", reason="timm is an extra")
    ours = BinaryCrossEntropy(mixing(smoothing), threshold=threshold)
    weight = 0.7 if mixed else 1.0
    targets = ours.mix.targets(LABELS, weight)
    theirs = losses.BinaryCrossEntropy(smoothing=smoothing, target_threshold=threshold or None)
    expected = theirs(LOGITS, targets if mixed else LABELS)
    mean = ours.loss_sum(LOGITS, targets) / ours.weight(targets)
    torch.testing.assert_close(mean, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()], ids=["ce", "bce"])
def test_losses_of_parts_add_up(loss):
    whole = loss.loss_sum(LOGITS.bfloat16(), LABELS)
    assert whole.dtype == torch.float32
    parts = sum(loss.loss_sum(LOGITS[i : i + 2].bfloat16(), LABELS[i : i + 2]) for i in (0, 2, 4))
    torch.testing.assert_close(whole, parts, rtol=1e-6, atol=1e-6)


def test_cross_entropy_equals_torchs():
    torch.testing.assert_close(
        CrossEntropy().loss_sum(LOGITS, LABELS) / 6, nn.CrossEntropyLoss()(LOGITS, LABELS)
    )
    soft = mixing(0.1).targets(LABELS, 0.6)
    torch.testing.assert_close(
        CrossEntropy().loss_sum(LOGITS, soft) / 6, nn.CrossEntropyLoss()(LOGITS, soft)
    )


def test_validation_counts_the_loss_that_is_trained():
    meter = ValidationMeter(BinaryCrossEntropy())
    counts = meter.count(LOGITS, LABELS) + meter.count(LOGITS[:2], LABELS[:2])
    expected = BinaryCrossEntropy().of_each(LOGITS[[*range(6), 0, 1]], LABELS[[*range(6), 0, 1]])
    assert meter.figures(counts)["loss"] == pytest.approx(expected.mean().item(), rel=1e-6)
    broken = LOGITS.clone()
    broken[0, 0] = float("inf")
    counts = meter.count(broken, LABELS)
    expected = BinaryCrossEntropy().of_each(LOGITS[1:], LABELS[1:])
    assert meter.figures(counts)["loss"] == pytest.approx(expected.mean().item(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cross_entropy", CrossEntropy),
        ("soft_cross_entropy", CrossEntropy),
        ("bce_logit", BinaryCrossEntropy),
    ],
)
def test_the_key(name, kind):
    task = VideoClassification(load_config(None, ["MODEL.LOSS_FUNC", name]))
    assert type(task.objective) is kind
    assert type(task.val_meter.loss) is kind


def test_wrong_keys():
    with pytest.raises(ValueError, match="MODEL.LOSS_FUNC = 'bce'.*'bce_logit'"):
        load_config(None, ["MODEL.LOSS_FUNC", "bce"])
    with pytest.raises(ValueError, match="MODEL.BCE_TARGET_THRESHOLD = 0.2 is for MODEL.LOSS_FUNC"):
        load_config(None, ["MODEL.BCE_TARGET_THRESHOLD", "0.2"])
