"""What training keeps for the backward pass: counted without numbers, against what autograd really saves."""

import pytest
import torch
from torch import nn

from glore_video.engine.activation_checkpoints import checkpoint_activations
from glore_video.models import stage_blocks
from glore_video.models.deployment.saved_memory import (
    GLORE_UNITS,
    NONLOCAL_BLOCKS,
    UncountableError,
    count_saved,
)
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.nonlocal2d import NonLocal2d
from glore_video.models.networks.preact_resnet3d import PreactResNet3d
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.units import glore_unit
from glore_video.models.zoo import create_model

CLIP = (3, 4, 32, 32)


def really_saved(model, shape, batch, *, amp=False):
    """Bytes of a pass on the CPU, by address."""
    known = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    sizes = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=amp),
    ):
        _kept = model(torch.zeros(batch, *shape))
    return sum(sizes.values())


def with_units():
    return insert_glore(TinyResNet3d(3), after=["stage1.0", "stage2.0"], nodes=4, states=6)


def checkpointed():
    model = with_units()
    blocks = [path for stage in stage_blocks(model) for paths in stage for path in paths]
    return checkpoint_activations(model, blocks)


NETWORKS = {
    "with units": (with_units, CLIP),
    "published order": (lambda: in_order(with_units(), "published"), CLIP),
    "reassociated order": (lambda: in_order(with_units(), "reassociated"), CLIP),
    "lean order": (lambda: in_order(with_units(), "lean"), CLIP),
    "checkpointed": (checkpointed, CLIP),
    "channels last": (lambda: with_units().to(memory_format=torch.channels_last_3d), CLIP),
    "attention": (
        lambda: NonLocal2d(8, 4, pool=(2, 2), instantiation="softmax"),
        (8, 6, 6),
    ),
}


def some(*names):
    """These each time, the others among the slow tests."""
    return [
        pytest.param(name, marks=() if name in names else pytest.mark.slow) for name in NETWORKS
    ]


def in_order(model, order):
    for block in (model.stage1[0], model.stage2[0]):
        block.glore.order = order
    return model


@pytest.mark.parametrize("name", some("with units", "checkpointed", "attention"))
def test_it_is_what_a_pass_on_the_cpu_saves(name):
    build, shape = NETWORKS[name]
    model = build()
    for batch in (2, 5):
        counted = count_saved(model, shape, device="cpu", batch=batch)
        assert counted.of(batch) == really_saved(model, shape, batch)
    assert sum(counted.parts.values()) == counted.each


@pytest.mark.parametrize("name", some("with units", "attention"))
def test_under_autocast_too(name):
    """An input more; what does not depend on the batch holds statistics, whose dtype kernels choose."""
    build, shape = NETWORKS[name]
    model = build()
    counted = count_saved(model, shape, amp_dtype=torch.bfloat16, device="cpu", batch=4)
    few, more = (really_saved(model, shape, batch, amp=True) for batch in (4, 5))
    assert counted.each == more - few
    channels = sum(2 * m.num_features for m in model.modules() if hasattr(m, "running_mean"))
    assert abs(counted.of(4) - few) <= 4 * channels


@pytest.mark.slow
def test_of_whole_networks_too():
    units = insert_glore(PreactResNet3d(50, num_classes=3), after=["conv3.B02", "conv4.B03"])
    for model, shape in (
        (units, CLIP),
        (create_model("fcn_resnet50", num_classes=5), (3, 65, 65)),
    ):
        assert count_saved(model, shape, device="cpu", batch=2).of(2) == really_saved(
            model, shape, 2
        )


def test_by_hand():
    model = nn.Sequential(nn.Conv3d(3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8, 5))
    plain = count_saved(model, (3, 2, 2, 2))
    inputs, activated = 3 * 8 * 4, 4 * 8 * 4
    assert plain.parts == {"0": inputs, "1": activated}
    assert (plain.each, plain.fixed, plain.units) == (inputs + activated, 0, {})
    low = count_saved(model, (3, 2, 2, 2), amp_dtype=torch.bfloat16)
    weights = 2 * (3 * 4 + 4 * 8 * 5)
    assert (low.each, low.fixed) == (plain.each // 2, weights)
    assert low.of(7) == 7 * low.each + weights


def test_the_loss():
    def loss(outputs, count):
        return nn.functional.cross_entropy(outputs, torch.zeros(count, dtype=torch.int64))

    counted = count_saved(nn.Linear(3, 5), (3,), device="cpu", loss=loss)
    assert counted.parts == {
        "elsewhere": 3 * 4,
        "loss": 5 * 4 + 8,
    }  # log-probabilities, and targets


def test_the_share_of_units_is_what_the_network_would_not_keep_without_them():
    plain = count_saved(TinyResNet3d(3), CLIP)
    model = with_units()
    counted = count_saved(model, CLIP)
    assert list(counted.units) == [GLORE_UNITS]
    assert 0 < counted.units[GLORE_UNITS] == counted.each - plain.each


def test_an_order_that_changes_with_the_batch_is_that_of_the_batch(monkeypatch):
    def chosen(*args, batch, **options):
        return "published" if batch <= 16 else "lean"

    monkeypatch.setattr(glore_unit, "auto_order", chosen)
    published, lean = (count_saved(in_order(with_units(), o), CLIP) for o in ("published", "lean"))
    assert published != lean
    assert count_saved(with_units(), CLIP, batch=16) == published
    assert count_saved(with_units(), CLIP, batch=17) == lean


def test_kinds_of_units_are_told_apart():
    model = with_units()
    model.stage2.add_module("nonlocal_block", NonLocal3d())
    assert count_saved(model, CLIP).units.keys() == {GLORE_UNITS, NONLOCAL_BLOCKS}


class NonLocal3d(nn.Conv3d):
    """In the place of one."""

    def __init__(self):
        super().__init__(64, 64, 1)

    def forward(self, x):
        return super().forward(x).relu()


def test_attention_on_a_gpu_does_not_hold_all_pairs_of_positions():
    block, positions = NonLocal2d(8, 4, pool=(1, 1), instantiation="softmax"), 16 * 16
    wide, narrow, softmax = 8 * positions, 4 * positions, positions
    plain = count_saved(block, (8, 16, 16))
    # The input, queries, keys, values and what comes of them, what the batch norm is given.
    assert plain.each == 4 * (wide + 4 * narrow + softmax + wide)
    low = count_saved(block, (8, 16, 16), amp_dtype=torch.bfloat16)
    copies = 3  # of the input, for each convolution that takes it
    assert low.each == 2 * (copies * wide + 4 * narrow + wide) + 4 * softmax


def test_the_network_stays_as_it_was():
    model = with_units()
    values = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    count_saved(model, CLIP)
    assert all(torch.equal(values[key], value) for key, value in model.state_dict().items())
    assert all(p.device.type == "cpu" for p in model.parameters())
    assert modes == [module.training for module in model.modules()]
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert not torch.is_autocast_enabled("cuda")


def test_frozen_networks_keep_less():
    model = with_units()
    everything = count_saved(model, CLIP)
    for parameter in model.stem.parameters():
        parameter.requires_grad_(False)
    less = count_saved(model, CLIP)
    assert less.parts.get("stem", 0) < everything.parts["stem"]
    assert less.parts["stage2"] == everything.parts["stage2"]


def test_shapes_that_depend_on_numbers():
    class Chosen(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            return y[y > 0] if y.sum().item() > 0 else y

    with pytest.raises(UncountableError, match=r"its shapes depend on numbers \(aten"):
        count_saved(Chosen(3, 3), (3,))


def test_a_shape_must_be_positive():
    with pytest.raises(ValueError, match=r"positive numbers, got \(3, 0\)"):
        count_saved(nn.Linear(3, 3), (3, 0))
