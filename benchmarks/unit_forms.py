"""Every form of a GloRe unit, with a non-local block beside them."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor, nn

from glore_video.models import GloreUnit3d, fuse_for_inference, insert_nonlocal
from glore_video.models.units.glore_unit_orders import EXPERIMENTAL_ORDERS, ORDERS

# Channels and positions (height, width) of the paper's network at 224 pixels; time is halved.
STAGES = {"res3": (512, 28), "res4": (1024, 14)}
# "ours" is what a unit does if nobody says how, the order "auto".
NAMES = {**{o: o for o in (*ORDERS, *EXPERIMENTAL_ORDERS) if o != "auto"}, "ours": "auto"}
FUSED = {"fused": "auto", **{f"fused-{order}": order for order in ORDERS if order != "auto"}}
NONLOCAL = "non-local"
FORMS = (*NAMES, *FUSED, NONLOCAL)
# By default, what is timed and what is counted.
TIMED = (*(order for order in ORDERS if order != "auto"), "ours", "fused", NONLOCAL)
COUNTED = (
    *(form for form in TIMED if form not in ("ours", "fused")),
    *(f for f in FUSED if "-" in f),
)


def timed_forms(device: torch.device) -> tuple[str, ...]:
    """Forms that are timed on a device: on GPUs, where they run, also experimental ones."""
    more = EXPERIMENTAL_ORDERS if device.type == "cuda" and find_spec("triton") else ()
    return (*TIMED[:-1], *more, NONLOCAL)


def build(form: str, channels: int, *, training: bool) -> nn.Module | None:
    """A form in train or eval mode, all with the same weights; None for a fused one that is to train.

    Args:
        form: one of FORMS.
        channels: of its input.
        training: the mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unit = GloreUnit3d(channels)
        nn.init.ones_(unit.blocker.weight)
    if form == NONLOCAL:
        host = nn.Sequential(nn.Identity())
        insert_nonlocal(host, after=["0"], channels=channels)
        return host.train(training)
    if form in NAMES:
        unit.order = NAMES[form]
        return unit.train(training)
    unit.order = FUSED[form]
    return None if training else fuse_for_inference(unit.eval())


def an_input(
    stage: str, *, batch: int, frames: int, channels_last: bool, device: torch.device
) -> Tensor:
    """Activations of a stage, float32 (batch, channels, frames / 2, height, width)."""
    channels, side = STAGES[stage]
    x = torch.randn(batch, channels, max(1, frames // 2), side, side, device=device)
    return x.contiguous(memory_format=torch.channels_last_3d) if channels_last else x


def chosen_order(x: Tensor, *, training: bool) -> str:
    """The order that "auto" takes for an input, not compiled."""
    unit = build("ours", x.shape[1], training=training)
    assert isinstance(unit, GloreUnit3d)
    with torch.set_grad_enabled(training):
        [line] = [line for line in unit.explain(x).splitlines() if "(chosen)" in line]
    return line.split()[0]
