"""One step against the same step written out plainly."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glore_video.engine.batch_norms import freeze_batch_norms
from glore_video.engine.optimizer import GroupRules, build_optimizer, parameter_groups
from glore_video.engine.precision import Precision
from glore_video.engine.train_step import Update
from glore_video.models import build_network, insert_glore
from glore_video.pixels.normalize import Normalize

CPU = torch.device("cpu")
DECAY, RATE = 0.01, 0.1


def network():
    torch.manual_seed(0)
    model = build_network("tiny", num_classes=3, dropout_rate=0.0)
    insert_glore(model, after=["stage1.0"], nodes=4, states=8)
    nn.init.constant_(model.stage1[0].glore.blocker.weight, 0.5)
    return model.train()


def batch(clips=4):
    generator = torch.Generator().manual_seed(1)
    shape = (clips, 3, 2, 16, 16)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return pixels, torch.arange(clips) % 3, torch.Generator()


def update_of(model, method="sgd", **options):
    rules = GroupRules(weight_decay=DECAY, bn_weight_decay=DECAY)
    optimizer = build_optimizer(
        method, parameter_groups(model, rules), lr=RATE, momentum=0.9, nesterov=method == "sgd"
    )
    normalize = Normalize(mean=(0.45,) * 3, std=(0.225,) * 3)
    return Update(
        model=model,
        parallel=model,
        compiled=model,
        optimizer=optimizer,
        normalize=normalize,
        precision=Precision(device=CPU),
        **options,
    )


def plain_steps(model, method, steps, clip_norm):
    """The same without any of the package: losses, and the weights in place."""
    clips, labels, _ = batch()
    pixels = (clips.float() / 255 - 0.45) / 0.225
    first = {p: torch.zeros_like(p) for p in model.parameters()}
    second = {p: torch.zeros_like(p) for p in model.parameters()}
    losses = []
    for step in range(1, steps + 1):
        log_probabilities = model(pixels).log_softmax(dim=1)
        loss = -log_probabilities[range(4), labels].mean()
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
    ours, plain = network(), network()
    update = update_of(ours, method, clip_norm=clip_norm)
    sums = [update(*batch()) for _ in range(2)]
    losses = plain_steps(plain, method, 2, clip_norm)
    torch.testing.assert_close([float(s[0] / s[2]) for s in sums], losses, rtol=1e-4, atol=1e-4)
    moved = 0.0
    for a, b, start in zip(
        ours.parameters(), plain.parameters(), network().parameters(), strict=True
    ):
        distance = (b - start).detach().norm()
        moved += float(distance)
        assert (a - b).norm() <= tolerance * distance + 1e-7
    assert moved > 0.1


def test_sums():
    model = network()
    with torch.no_grad():
        expected = model(update_of(model).normalize(batch()[0], CPU)).argmax(1)
    loss, correct, clips, norm = update_of(network())(*batch()).tolist()
    assert (correct, clips) == (int((expected == batch()[1]).sum()), 4)
    assert loss > 0
    assert norm > 0


def test_accumulation_equals_the_large_batch():
    results = []
    for parts in (1, 3):
        model = network()
        freeze_batch_norms(model)
        sums = update_of(model, accumulation=parts, clip_norm=0.5)(*batch(7))
        results.append((sums, [p.detach() for p in model.parameters()]))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)


def test_moving_average():
    model = network()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    update = update_of(model, average=average)
    seen = []
    for _ in range(3):
        update(*batch())
        seen.append(model.classifier.weight.detach().clone())
    expected = 0.9 * (0.9 * seen[0] + 0.1 * seen[1]) + 0.1 * seen[2]
    torch.testing.assert_close(average.module.classifier.weight.data, expected)
    assert torch.equal(average.module.stem[1].running_mean, model.stem[1].running_mean)


@pytest.mark.parametrize("method", ["sgd", "adamw"])
def test_nothing_is_updated_from_the_first_step_that_is_not_finite_on(method):
    model = network()
    update = update_of(model, method)
    update(*batch())
    before = copy.deepcopy(list(model.parameters()))
    hook = model.classifier.register_forward_hook(lambda module, args, out: out * float("inf"))
    update(*batch())
    hook.remove()
    update(*batch())
    assert (float(update.diverged), int(update.finite_steps)) == (1.0, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_greatest_value_in_a_gradient():
    model = network()
    update = update_of(model, clip_value=1e-3)
    update(*batch())
    assert max(float(p.grad.abs().max()) for p in model.parameters()) == pytest.approx(1e-3)


def test_mixed_targets_are_used():
    def only_class_two(pixels, labels, generator):
        return pixels, torch.eye(3)[[2] * len(labels)]

    mixed = update_of(network(), mix=only_class_two)(*batch())
    clips, labels, generator = batch()
    plain = update_of(network())(clips, torch.full_like(labels, 2), generator)
    assert float(mixed[0]) == pytest.approx(float(plain[0]), rel=1e-6)
