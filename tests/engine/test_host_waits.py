"""A training step never waits for the device: it is run on "meta", which has nothing to tell.

What reads a value of a tensor there (item, tolist, a truth value, boolean indexing) is an error of
torch's own; tensors that are made of numbers of the host and copied to the device are found by
their operator.
"""

from contextlib import nullcontext
from importlib import import_module

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from toy_task import Meter, Objective, network, train_step

from glore_video.engine.launch.processes import Process
from glore_video.engine.moving_average import MovingAverage
from glore_video.engine.optimizer import GroupRules, build_optimizer, parameter_groups
from glore_video.engine.precision import Precision
from glore_video.models import build_network, glore_units, insert_glore
from glore_video.models.networks.backbones import slow_frames
from glore_video.pixels import normalize
from glore_video.tasks.classification.meter import TrainingMeter
from glore_video.tasks.classification.mixing import Mixing
from glore_video.tasks.classification.objective import BinaryCrossEntropy, CrossEntropy
from glore_video.tasks.segmentation.meter import PixelMeter
from glore_video.tasks.segmentation.objective import PixelCrossEntropy

META = torch.device("meta")
RGB = normalize.Normalize(mean=(0.5,) * 3, std=(0.2,) * 3, memory_format=torch.channels_last_3d)
CLASSES = 5


class NoWaits(TorchDispatchMode):
    """Raises where a GPU would be waited for."""

    def __init__(self, *, complains):
        super().__init__()
        self.complains = complains

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._fused_sgd_.default:  # torch has none for "meta"
            return None
        result = func(*args, **(kwargs or {}))
        if not self.complains:
            return result
        name = func.overloadpacket.__name__
        to_device = isinstance(result, torch.Tensor) and result.device == META
        if to_device and kwargs and kwargs.get("non_blocking"):
            return result
        if name in ("_to_copy", "copy_", "_foreach_copy_"):
            devices = {t.device for t in tree_leaves((args, result)) if isinstance(t, torch.Tensor)}
            assert len(devices) == 1, f"{name} between {devices}"
        if to_device:
            assert name != "lift_fresh", "numbers of the host are copied to the device"
        return result


class OnMeta(Precision):
    """Neither autocast nor the gradient scaler knows this device."""

    def autocast(self):
        return nullcontext()

    def scaler(self):
        return torch.amp.GradScaler("cpu", enabled=self.amp_dtype == torch.float16)


@pytest.fixture(autouse=True)
def fused_on_meta(monkeypatch):
    optimizers = import_module("torch.optim.optimizer")
    known = optimizers._get_fused_kernels_supported_devices()
    kinds = "_get_fused_kernels_supported_devices"
    monkeypatch.setattr(optimizers, kinds, lambda: ["meta", *known])


def step_of(model, *, method="sgd", amp_dtype=None, **options):
    model = model.to(META).train()
    groups = parameter_groups(model, GroupRules(weight_decay=0.01, bn_weight_decay=0.0))
    return train_step(
        model,
        Process(0, 1, META),
        optimizer=build_optimizer(method, groups, lr=0.1, momentum=0.9),
        precision=OnMeta(device=META, amp_dtype=amp_dtype),
        **options,
    )


def two_steps(step, inputs, targets):
    inputs, targets = inputs.to(META), targets.to(META)
    for number in range(2):
        # What is made once, such as the optimiser's state, is there for the second step.
        with NoWaits(complains=number > 0):
            sums = step(inputs, targets, torch.Generator().manual_seed(1))
    assert sums.shape == step.zeros().shape


@pytest.mark.parametrize("method", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("amp_dtype", [None, torch.float16], ids=["float32", "scaled loss"])
def test_optimisers_with_clipping_parts_and_a_moving_average(method, amp_dtype):
    model = network().to(META)
    step = step_of(
        model,
        method=method,
        amp_dtype=amp_dtype,
        accumulation=2,
        clip_norm=1.0,
        clip_value=0.1,
        average=MovingAverage(model, 0.9),
    )
    batch = torch.zeros(4, 3, 4, dtype=torch.uint8), torch.zeros(4, 4, dtype=torch.int64)
    two_steps(step, *batch)


def test_lamb_reads_one_flag_alone():
    """Whether an update is left out; here the flag is on the host, where reading it is no wait."""
    pytest.importorskip("timm", reason="timm is an extra")
    model = network().to(META)
    groups = parameter_groups(model, GroupRules(weight_decay=0.01, bn_weight_decay=0.0))
    optimizer = build_optimizer("lamb", groups, lr=0.1)
    optimizer.found_inf = torch.zeros(())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for number in range(2):
        with NoWaits(complains=number > 0):
            optimizer.step()


def mixing(**changes):
    options = {"alpha": 0.8, "cutmix_alpha": 0.0, "probability": 1.0, "switch_probability": 0.5}
    return Mixing(**(options | changes), label_smoothing=0.1, num_classes=CLASSES)


@pytest.mark.parametrize(
    "objective",
    [
        CrossEntropy(),
        CrossEntropy(mixing()),
        CrossEntropy(mixing(alpha=0.0, cutmix_alpha=1.0)),
        BinaryCrossEntropy(),
        BinaryCrossEntropy(mixing(), threshold=0.2),
    ],
    ids=["cross-entropy", "mixup", "cutmix", "binary", "binary, mixup"],
)
def test_classes_of_clips(objective):
    two_steps_of_clips(build_network("tiny", num_classes=CLASSES), objective)


class SlowPathway(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = build_network("tiny", num_classes=CLASSES)

    def forward(self, clips):
        return self.network(slow_frames(clips, 2))


def test_the_frames_of_slowfasts_slow_pathway():
    two_steps_of_clips(SlowPathway(), CrossEntropy())


@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_units_in_all_orders_of_their_products(order):
    model = insert_glore(build_network("tiny", num_classes=CLASSES), after=["stage2.0"])
    for unit in glore_units(model).values():
        unit.order = order
    two_steps_of_clips(model, CrossEntropy())


def two_steps_of_clips(model, objective):
    step = step_of(model, objective=objective, meter=TrainingMeter(), normalize=RGB)
    clips = torch.zeros(4, 3, 4, 32, 32, dtype=torch.uint8)
    two_steps(step, clips, torch.zeros(4, dtype=torch.int64))


class Pixels(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.aux = (nn.Conv2d(3, CLASSES, 3, padding=1) for _ in range(2))

    def forward(self, pictures):
        return {"out": self.out(pictures), "aux": self.aux(pictures)}


@pytest.mark.parametrize("weights", [(), (1.0, 2.0, 0.5, 1.0, 0.0)], ids=["equal", "weighted"])
@pytest.mark.parametrize("hard", [0.0, 0.7], ids=["all pixels", "hard ones"])
def test_classes_of_pixels(weights, hard):
    objective = PixelCrossEntropy(class_weights=weights, hard=hard, least=10)
    rgb = normalize.Normalize(mean=(0.5,) * 3, std=(0.2,) * 3)
    step = step_of(Pixels(), objective=objective, meter=PixelMeter(), normalize=rgb, accumulation=2)
    masks = torch.zeros(2, 8, 8, dtype=torch.int64)
    two_steps(step, torch.zeros(2, 3, 8, 8, dtype=torch.uint8), masks)


class Reading(Objective):
    def loss_sum(self, outputs, targets):
        loss = super().loss_sum(outputs, targets)
        return loss if loss < 1e6 else loss * 0


class Making(Objective):
    def weight(self, targets):
        return torch.tensor(4.0, device=targets.device)


class Picking(Objective):
    def weight(self, targets):
        return targets[targets != 255].sum()


class Moving(Meter):
    def count(self, outputs, targets):
        return super().count(outputs, targets) + torch.zeros(3).to(outputs.device)


def shows_new_tensors():
    """Whether this torch has an operator for numbers that become a tensor."""
    try:
        with NoWaits(complains=True):
            torch.tensor(4.0, device=META)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"objective": Reading()}, "cannot be called on meta|Cannot copy out of meta"),
        ({"objective": Making()}, "numbers of the host"),
        ({"objective": Picking()}, "nonzero"),
        ({"meter": Moving(with_loss=False)}, "_to_copy between"),
    ],
    ids=["a truth value", "a new tensor", "boolean indexing", "a copy"],
)
def test_what_would_wait_is_found(change, error):
    if (
        "objective" in change
        and isinstance(change["objective"], Making)
        and not shows_new_tensors()
    ):
        pytest.skip("this torch makes tensors on meta without an operator that could be seen")
    step = step_of(network(), **change)
    batch = torch.zeros(4, 3, 4, dtype=torch.uint8), torch.zeros(4, 4, dtype=torch.int64)
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError), match=error):
        two_steps(step, *batch)


@pytest.mark.gpu
@pytest.mark.parametrize("amp_dtype", [None, torch.bfloat16, torch.float16])
def test_a_real_gpu_is_not_waited_for(amp_dtype):
    """torch itself raises where an operation waits."""
    gpu = torch.device("cuda", torch.cuda.current_device())
    model = insert_glore(build_network("tiny", num_classes=CLASSES), after=["stage2.0"]).to(gpu)
    groups = parameter_groups(model, GroupRules(weight_decay=0.01, bn_weight_decay=0.0))
    step = train_step(
        model.train(),
        Process(0, 1, gpu),
        optimizer=build_optimizer("sgd", groups, lr=0.1, momentum=0.9),
        precision=Precision(device=gpu, amp_dtype=amp_dtype, cudnn_benchmark=True),
        objective=CrossEntropy(mixing()),
        meter=TrainingMeter(),
        normalize=RGB,
        accumulation=2,
        clip_norm=1.0,
        average=MovingAverage(model, 0.9),
    )
    clips = torch.randint(0, 256, (4, 3, 4, 32, 32), dtype=torch.uint8)
    batch = clips.pin_memory(), torch.arange(4).pin_memory()
    try:
        for mode in ("default", "error", "error"):
            torch.cuda.set_sync_debug_mode(mode)
            sums = step(*batch, torch.Generator().manual_seed(1))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert sums.isfinite().all()
