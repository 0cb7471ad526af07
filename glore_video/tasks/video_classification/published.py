"""Networks for clips by name, shown videos as their publishers show them."""

from __future__ import annotations

from torch import nn

from glore_video.data.video.kinetics import kinetics400_class_names
from glore_video.engine.precision import Precision
from glore_video.models import PreactResNet3d, is_foreign
from glore_video.models.named_info import network_info
from glore_video.models.networks.backbones import SlowFast
from glore_video.models.networks.network_info import NetworkInfo
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.tasks.video_classification.predictor import VideoPredictor
from glore_video.video import ClipSampling


def takes(name: str) -> bool:
    """Whether a network of this name takes clips."""
    return network_info(name).takes_clips


def name_of(network: nn.Module) -> str:
    """A name of the zoo whose networks are shown what this one is; "" for one of another kind."""
    if isinstance(network, PreactResNet3d):
        return "glore_r50_8x8"
    if isinstance(network, SlowFast):
        return "slowfast_r50"
    is_net = hasattr(network, "blocks") and type(network).__module__.startswith("pytorchvideo")
    return "i3d_r50" if is_net else ""


def published_predictor(
    name: str,
    network: nn.Module,
    *,
    class_names: tuple[str, ...] = (),
    precision: Precision,
    source: str = "",
) -> VideoPredictor:
    """A network of this name in eval mode; classes are Kinetics' by default."""
    names = class_names or kinetics400_class_names()
    info = network_info(name)
    return VideoPredictor(
        network=network,
        class_names=names,
        views=_foreign(info) if is_foreign(name) else _own(info, network),
        normalize=Normalize(mean=info.mean, std=info.std),
        precision=precision,
        source=source,
    )


def _own(info: NetworkInfo, network: nn.Module) -> EvalViews:
    _, frames, crop, _ = info.input_shape
    paper = isinstance(network, PreactResNet3d)
    return EvalViews(
        sampling=ClipSampling(
            num_frames=frames,
            stride=info.stride,
            spacing="stride" if paper else "linspace",
            short_video="cycle" if paper else "repeat_last",
        ),
        num_clips=10,
        num_crops=3 if info.views == 30 else 1,
        short_side=256,
        crop_size=crop,
    )


def _foreign(info: NetworkInfo) -> EvalViews:
    _, frames, side, _ = info.input_shape
    return EvalViews(
        # Clips of about two seconds, as most of them were trained with.
        sampling=ClipSampling(num_frames=frames, stride=max(1, 64 // frames), spacing="linspace"),
        num_clips=10,
        num_crops=1,
        short_side=side * 8 // 7,
        crop_size=side,
    )
