"""One step against the same step written out plainly."""

import copy
import math

import pytest
import torch
from toy_task import CPU, IGNORED, Normalize, Objective, network, target_of, train_step

from glore_video.engine.batch_norms import freeze_batch_norms
from glore_video.engine.optimizer import GroupRules, build_optimizer, parameter_groups
from glore_video.engine.train_step import Sums

DECAY, RATE = 0.01, 0.1


def model_of(dtype=torch.float32):
    model = network(dtype=dtype)
    model.body[-1].p = 0.0  # no dropout
    return model.train()


def batch(count=4, first=0):
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randint(0, 256, (first + count, 3, 4), dtype=torch.uint8, generator=generator)
    targets = torch.stack([target_of(index) for index in range(first, first + count)])
    return vectors[first:], targets, torch.Generator()


def step_of(model, method="sgd", **options):
    rules = GroupRules(weight_decay=DECAY, bn_weight_decay=DECAY)
    optimizer = build_optimizer(
        method, parameter_groups(model, rules), lr=RATE, momentum=0.9, nesterov=method == "sgd"
    )
    return train_step(model, optimizer=optimizer, **options)


def plain_steps(model, method, steps, clip_norm):
    """The same without any of the package: losses, and the weights in place."""
    vectors, targets, _ = batch()
    pixels = vectors.float() / 128 - 1
    counted = targets != IGNORED
    first = {p: torch.zeros_like(p) for p in model.parameters()}
    second = {p: torch.zeros_like(p) for p in model.parameters()}
    losses = []
    for step in range(1, steps + 1):
        log_probabilities = model(pixels).log_softmax(dim=1).transpose(1, 2)[counted]
        loss = -log_probabilities.gather(1, targets[counted][:, None]).mean()
        losses.append(float(loss.detach()))
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in gradients))
        with torch.no_grad():
            for p, g in zip(model.parameters(), gradients, strict=True):
                g = g * min(1.0, clip_norm / norm) if clip_norm else g
                if method == "sgd":
                    g = g + DECAY * p
                    first[p] = g.clone() if step == 1 else 0.9 * first[p] + g
                    p -= RATE * (g + 0.9 * first[p])
                    continue
                if method == "adam":
                    g = g + DECAY * p
                else:
                    p *= 1 - RATE * DECAY
                first[p] = 0.9 * first[p] + 0.1 * g
                second[p] = 0.999 * second[p] + 0.001 * g * g
                spread = (second[p] / (1 - 0.999**step)).sqrt() + 1e-8
                p -= RATE * first[p] / (1 - 0.9**step) / spread
    return losses


# Adam divides by gradients' sizes, so that rounding in tiny ones grows.
@pytest.mark.parametrize(("method", "tolerance"), [("sgd", 1e-5), ("adam", 3e-3), ("adamw", 3e-3)])
@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
def test_steps_equal_a_plain_loop(method, tolerance, clip_norm):
    ours, plain = model_of(), model_of()
    step = step_of(ours, method, clip_norm=clip_norm)
    sums = [Sums.of(step(*batch())) for _ in range(2)]
    losses = plain_steps(plain, method, 2, clip_norm)
    torch.testing.assert_close([s.mean_loss for s in sums], losses, rtol=1e-4, atol=1e-4)
    moved = 0.0
    for a, b, start in zip(
        ours.parameters(), plain.parameters(), model_of().parameters(), strict=True
    ):
        distance = (b - start).detach().norm()
        moved += float(distance)
        assert (a - b).norm() <= tolerance * distance + 1e-7
    assert moved > 0.05


def test_sums():
    model = model_of()
    vectors, targets, generator = batch()
    with torch.no_grad():
        predicted = copy.deepcopy(model)(Normalize()(vectors, CPU)).argmax(1)
    sums = Sums.of(step_of(model)(vectors, targets, generator))
    # Of 4 x 4 positions 0 + 1 + 2 + 3 are ignored.
    assert (sums.weight, sums.inputs) == (10, 4)
    assert sums.counts.tolist()[1:] == [int((predicted == targets).sum()), 10]
    assert sums.loss == pytest.approx(sums.counts[0].item(), rel=1e-6)
    assert sums.mean_loss == pytest.approx(sums.loss / 10)
    assert sums.norm > 0


def results(parts, count=7, **options):
    model = model_of(torch.float64)
    freeze_batch_norms(model)
    sums = step_of(model, accumulation=parts, **options)(*batch(count))
    return sums, [p.detach() for p in model.parameters()]


@pytest.mark.parametrize("parts", [3, 7, 9])
def test_parts_of_different_weights_equal_the_large_batch(parts):
    """7 vectors in 3 parts: 3, 2 and 2 of them, with 6, 5 and 4 positions that count."""
    torch.testing.assert_close(results(parts), results(1), rtol=1e-12, atol=1e-14)


def test_weighting_parts_by_their_samples_would_not_do():
    """The mean of each part's own mean is another gradient."""

    class MeanOfMeans(Objective):
        def weight(self, targets):
            return len(targets)

        def loss_sum(self, outputs, targets):
            return len(targets) * super().loss_sum(outputs, targets) / super().weight(targets)

    whole, parts = (results(n, objective=MeanOfMeans())[1] for n in (1, 3))
    torch.testing.assert_close(whole, results(1)[1], rtol=1e-12, atol=1e-14)
    assert any((a - b).abs().max() > 1e-4 for a, b in zip(whole, parts, strict=True))


def test_a_batch_that_is_ignored_as_a_whole_changes_nothing_but_decay():
    model = model_of()
    vectors, targets, generator = batch()
    step = step_of(model)
    sums = Sums.of(step(vectors, torch.full_like(targets, IGNORED), generator))
    assert (sums.loss, sums.weight, sums.norm) == (0.0, 0.0, 0.0)
    assert math.isnan(sums.mean_loss)
    assert float(step.diverged) == 0.0


def test_moving_average():
    model = model_of()
    step = step_of(model, ema=0.9)
    seen = []
    for _ in range(3):
        step(*batch())
        seen.append(model.head.weight.detach().clone())
    expected = 0.9 * (0.9 * seen[0] + 0.1 * seen[1]) + 0.1 * seen[2]
    average = step.average.module
    torch.testing.assert_close(average.head.weight.data, expected)
    assert torch.equal(average.body[2].running_mean, model.body[2].running_mean)


@pytest.mark.parametrize("method", ["sgd", "adamw", "lamb"])
def test_nothing_is_updated_from_the_first_step_that_is_not_finite_on(method):
    if method == "lamb":
        pytest.importorskip("timm", reason="timm is an extra")
    model = model_of()
    step = step_of(model, method)
    step(*batch())
    before = copy.deepcopy(list(model.parameters()))
    hook = model.head.register_forward_hook(lambda module, args, out: out * float("inf"))
    step(*batch())
    hook.remove()
    step(*batch())
    assert (float(step.diverged), int(step.finite_steps)) == (1.0, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_greatest_value_in_a_gradient():
    model = model_of()
    step_of(model, clip_value=1e-3)(*batch())
    assert max(float(p.grad.abs().max()) for p in model.parameters()) == pytest.approx(1e-3)


def test_prepared_targets_are_learnt_and_the_batchs_own_are_counted():
    class OnlyClassTwo(Objective):
        def prepare(self, inputs, targets, generator):
            return inputs, torch.full_like(targets, 2)

    vectors, targets, generator = batch()
    prepared = Sums.of(step_of(model_of(), objective=OnlyClassTwo())(vectors, targets, generator))
    plain = Sums.of(step_of(model_of())(vectors, torch.full_like(targets, 2), generator))
    assert prepared.loss == pytest.approx(plain.loss, rel=1e-6)
    assert (prepared.weight, prepared.counts[2].item()) == (16, 10)


class OnePlace(torch.autograd.Function):
    """The weight, whose gradient stands where it stood before, as a CUDA graph leaves it."""

    memory = torch.zeros(3, 3)

    @staticmethod
    def forward(ctx, weight):
        return weight.clone()

    @staticmethod
    def backward(ctx, gradient):
        return OnePlace.memory.copy_(gradient).detach()


class Replayed(torch.nn.Module):
    def __init__(self, replays):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.eye(3) + 0.1)
        self.replays = replays

    def forward(self, pixels):
        weight = OnePlace.apply(self.weight) if self.replays else self.weight
        return weight @ pixels


@pytest.mark.parametrize("records", [True, False])
def test_gradients_of_parts_that_cuda_graphs_write_over_each_other(records):
    """They add up where the step knows of the graphs, and without that would not."""
    models = [Replayed(replays=False), Replayed(replays=True)]
    for model in models:
        step = step_of(model, accumulation=2, records_graphs=records and model.replays)
        for _ in range(2):
            step(*batch())
    equal = torch.allclose(models[0].weight, models[1].weight, rtol=1e-5)
    assert equal == records
    assert not records or models[1].weight.grad is None
