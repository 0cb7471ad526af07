"""Losses and figures of pixels, against their formulas in float64."""

import math

import pytest
import torch
from torch.nn import functional as F

from glore_video.errors import UsageError
from glore_video.tasks.segmentation.meter import IoUMeter, PixelMeter, confusion_counts
from glore_video.tasks.segmentation.objective import (
    IGNORED,
    PixelCrossEntropy,
    check_class_weights,
)

CLASSES = 4


@pytest.fixture
def batch():
    """Logits (3, 4, 5, 6) and targets, a third of them ignored, one picture wholly."""
    generator = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(3, CLASSES, 5, 6, generator=generator)
    targets = torch.randint(0, CLASSES, (3, 5, 6), generator=generator)
    targets[torch.rand(3, 5, 6, generator=generator) < 1 / 3] = IGNORED
    targets[1] = IGNORED
    return logits, targets


def each_loss(logits, targets):
    """Picture, row, column, class and loss of each pixel that counts, by the formula."""
    for n, y, x in (targets != IGNORED).nonzero().tolist():
        row = logits[n, :, y, x].double()
        label = int(targets[n, y, x])
        yield (n, y, x), label, float(row.logsumexp(0) - row[label])


@pytest.mark.parametrize("weights", [(), (0.5, 2.0, 0.0, 1.0)])
def test_mean_over_the_pixels_that_count(batch, weights):
    logits, targets = batch
    loss = PixelCrossEntropy(class_weights=weights)
    factor = dict(enumerate(weights)) if weights else dict.fromkeys(range(CLASSES), 1.0)
    expected = sum(factor[label] * value for _, label, value in each_loss(logits, targets))
    weight = sum(factor[label] for _, label, _ in each_loss(logits, targets))
    assert float(loss.loss_sum(logits, targets)) == pytest.approx(expected, rel=1e-5)
    assert float(loss.weight(targets)) == pytest.approx(weight)
    mean = loss.loss_sum(logits, targets) / loss.weight(targets)
    reference = F.cross_entropy(
        logits, targets, weight=torch.tensor(weights) if weights else None, ignore_index=IGNORED
    )
    torch.testing.assert_close(mean, reference)


def test_parts_of_a_step_add_up(batch):
    logits, targets = batch
    for loss in (PixelCrossEntropy(), PixelCrossEntropy(hard=0.6, least=3)):
        parts = [loss.loss_sum(logits[i : i + 1], targets[i : i + 1]) for i in range(3)]
        torch.testing.assert_close(sum(parts), loss.loss_sum(logits, targets))
        assert sum(int(loss.weight(each)) for each in targets) == int(loss.weight(targets))


@pytest.mark.parametrize(("hard", "least"), [(0.3, 0), (0.3, 9), (1.0, 0), (1e-9, 4)])
def test_hard_pixels_alone_have_a_loss(batch, hard, least):
    logits, targets = batch
    losses = PixelCrossEntropy(hard=hard, least=least).of_pixels(logits, targets)
    plain = PixelCrossEntropy().of_pixels(logits, targets)
    for n in range(3):
        sure = sorted(
            (math.exp(-value), place)
            for place, _, value in each_loss(logits, targets)
            if place[0] == n
        )
        kept = {place for rank, (p, place) in enumerate(sure) if p <= hard or rank < least}
        found = {(n, *place) for place in (losses[n] != 0).nonzero().tolist()}
        assert found == kept
    assert torch.equal(losses[losses != 0], plain[losses != 0])


def test_auxiliary_heads(batch):
    logits, targets = batch
    loss = PixelCrossEntropy(auxiliary=0.3)
    own, other = loss.loss_sum(logits, targets), loss.loss_sum(-logits, targets)
    both = loss.loss_sum({"out": logits, "aux": -logits}, targets)
    torch.testing.assert_close(both, own + 0.3 * other)
    torch.testing.assert_close(loss.loss_sum({"out": logits}, targets), own)


def test_wholly_ignored_targets_give_zero_and_no_nan():
    loss = PixelCrossEntropy(hard=0.5, least=2)
    logits = torch.randn(1, CLASSES, 2, 3, requires_grad=True)
    targets = torch.full((1, 2, 3), IGNORED)
    value = loss.loss_sum(logits, targets)
    value.backward()
    assert (float(value.detach()), int(loss.weight(targets))) == (0, 0)
    assert not logits.grad.any()


def test_what_can_not_be_is_refused():
    for wrong in ({"hard": 2}, {"least": -1}, {"auxiliary": -1}, {"class_weights": (1, -1)}):
        with pytest.raises(UsageError):
            PixelCrossEntropy(**wrong)
    check_class_weights((), 3, "KEY")
    with pytest.raises(UsageError, match="KEY: 2 weights for 3 classes"):
        check_class_weights((1, 2), 3, "KEY")


def test_confusion(batch):
    logits, targets = batch
    predicted = logits.argmax(1)
    found = confusion_counts(predicted, targets, CLASSES)
    expected = torch.zeros(CLASSES, CLASSES, dtype=torch.int64)
    for (n, y, x), label, _ in each_loss(logits, targets):
        expected[label, predicted[n, y, x]] += 1
    assert torch.equal(found, expected)


def test_figures_of_validation(batch):
    logits, targets = batch
    targets[targets == 3] = 1  # class 3 is predicted, but is nowhere
    meter = IoUMeter(CLASSES)
    parts = [meter.count(logits[i : i + 1], targets[i : i + 1]) for i in range(3)]
    counts = meter.count(logits, targets)
    torch.testing.assert_close(sum(parts), counts)
    assert len(counts) == meter.size
    figures = meter.figures(counts)
    predicted = logits.argmax(1)
    valid = targets != IGNORED
    ious = []
    for label in range(CLASSES):
        true, said = (targets == label) & valid, (predicted == label) & valid
        ious.append(float((true & said).sum() / (true | said).sum()))
    assert figures["miou"] == pytest.approx(100 * sum(ious) / CLASSES)
    right = ((predicted == targets) & valid).sum() / valid.sum()
    assert figures["pixel_accuracy"] == pytest.approx(100 * float(right))
    assert figures["loss"] == pytest.approx(
        float(F.cross_entropy(logits, targets, ignore_index=IGNORED))
    )
    assert meter.text({"miou": 12.34, "pixel_accuracy": 50}, 1) == "mIoU 12.3%, pixels 50.0%"


def test_a_class_that_is_neither_there_nor_predicted_is_not_in_the_mean():
    targets = torch.tensor([[[0, 1]]])
    logits = F.one_hot(torch.tensor([[[0, 0]]]), CLASSES).permute(0, 3, 1, 2).float()
    figures = IoUMeter(CLASSES).figures(IoUMeter(CLASSES).count(logits, targets))
    assert figures["miou"] == pytest.approx(100 * (0.5 + 0) / 2)


def test_pictures_whose_outputs_are_not_finite_are_wrong_everywhere(batch):
    logits, targets = batch
    meter = IoUMeter(CLASSES)
    whole = meter.count(logits[:1], targets[:1])
    logits[2, 0, 0, 0] = math.nan
    counts = meter.count(logits[[0, 2]], targets[[0, 2]])
    torch.testing.assert_close(counts[:2], whole[:2])
    pixels = int((targets[[0, 2]] != IGNORED).sum())
    assert int(counts[2:].sum()) == pixels
    right = float(whole[2:].view(CLASSES, CLASSES + 1).diagonal().sum())
    assert meter.figures(counts)["pixel_accuracy"] == pytest.approx(100 * right / pixels)


def test_nothing_counted_is_nan():
    targets = torch.full((1, 2, 2), IGNORED)
    logits = torch.zeros(1, CLASSES, 2, 2)
    for meter in (IoUMeter(CLASSES), PixelMeter()):
        figures = meter.figures(meter.count(logits, targets))
        assert all(math.isnan(value) for value in figures.values())


def test_accuracy_of_a_training_step(batch):
    logits, targets = batch
    meter = PixelMeter()
    counts = meter.count({"out": logits, "aux": -logits}, targets)
    valid = targets != IGNORED
    right = ((logits.argmax(1) == targets) & valid).sum()
    assert counts.tolist() == [float(right), float(valid.sum())]
    assert meter.text(meter.figures(torch.tensor([1.0, 4.0])), 1) == "pixels 25.0%"
