"""A whole network in every form: published order, ours, without units, with non-local blocks instead."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import nn

from glore_video.engine.compiling import What
from glore_video.models import (
    TinyResNet3d,
    create_model,
    fuse_for_inference,
    glore_units,
    insert_glore,
    insert_nonlocal,
    locate,
)

# The plain network of each, and where SlowFast's configs put non-local blocks.
PLAIN = {"glore_r50_8x8": "preact_r50_8x8", "glore_r101_8x8": "preact_r101_8x8"}
NETWORKS = ("published", "ours", "plain", "non-local")
NONLOCAL = [[[]], [[1, 3]], [[1, 3, 5]], [[]]]
TINY = "tiny"  # two units, to try a script
TINY_PLACES = ["stage1.1", "stage2.0"]
MODELS = (*PLAIN, TINY)
LAST = torch.channels_last_3d


@dataclass(frozen=True)
class Form:
    """One of the networks, and how it runs.

    Attributes:
        network: "published", "plain", "ours" or "non-local".
        bf16: under autocast.
        channels_last: the memory format of weights and clips.
        fused: `fuse_for_inference`.
        compiled: "all", "units" (each unit by itself) or nothing; see `engine.compiling`.
    """

    network: str
    bf16: bool = False
    channels_last: bool = False
    fused: bool = False
    compiled: What = ""

    def __str__(self) -> str:
        words = [self.network, "fused" if self.fused else ""]
        words += ["channels-last" if self.channels_last else "", "bf16" if self.bf16 else ""]
        words += [{"all": "compiled", "units": "units compiled", "": ""}[self.compiled]]
        return ", ".join(word for word in words if word)

    def without_units(self) -> Form:
        """The plain network in this form. Of one whose units alone are compiled nothing is left to be."""
        compiled: What = "all" if self.compiled == "all" else ""
        return Form("plain", self.bf16, self.channels_last, self.fused, compiled)


BASE = Form("published")


def groups(
    networks: Collection[str], *, training: bool, bf16: bool, compiled: Collection[str]
) -> Iterator[list[Form]]:
    """Forms that are measured together, what matters most first; each group begins with BASE.

    Args:
        networks: those there are, of NETWORKS.
        training: whether they train.
        bf16: whether to add forms under autocast.
        compiled: networks to compile.
    """
    best = {"bf16": bf16, "channels_last": True, "fused": not training}
    pair = [network for network in ("ours", "plain") if network in networks]
    yield [Form(network) for network in networks]
    if bf16 or not training:
        yield [BASE, *(Form(network, **best) for network in (networks if training else pair))]
    both = [network for network in pair if network in compiled]
    if both:
        yield [BASE, *(Form(network, compiled="all", **best) for network in both)]
    if "ours" in both:
        yield [BASE, Form("ours", compiled="units", **best), Form("plain", **best)]
    yield [BASE, *(Form(network, channels_last=True) for network in pair)]
    others = [network for network in compiled if network in networks and network not in pair]
    if others:
        best["fused"] = False
        yield [BASE, *(Form(network, compiled="all", **best) for network in others)]


def networks_of(name: str) -> dict[str, nn.Module]:
    """The networks of a model, with units that do something; without pytorchvideo no non-local blocks."""
    plain: nn.Module
    if name == TINY:
        plain = TinyResNet3d(400)
        ours = insert_glore(copy.deepcopy(plain), after=TINY_PLACES)
        places = TINY_PLACES
    else:
        ours, plain = create_model(name), create_model(PLAIN[name])
        places = locate(plain, NONLOCAL)
    for unit in glore_units(ours).values():
        nn.init.ones_(unit.blocker.weight)  # type: ignore[arg-type]
    published = copy.deepcopy(ours)
    for unit in glore_units(published).values():
        unit.order = "published"
    found = {"published": published, "ours": ours, "plain": plain}
    if find_spec("pytorchvideo"):
        found["non-local"] = insert_nonlocal(copy.deepcopy(plain), after=places)
    return found


def in_form(network: nn.Module, form: Form, *, training: bool) -> nn.Module:
    """A copy that runs so, but for what is compiled."""
    network = copy.deepcopy(network).train(training)
    if not training:
        network.requires_grad_(False)
    if form.fused:
        network = fuse_for_inference(network)
    return network.to(memory_format=LAST) if form.channels_last else network
