"""C2D, I3D, Slow and SlowFast, built with pytorchvideo.

Keys and shapes are those of pytorchvideo's hub models, so that its weights load unchanged. Two
things differ from what its builders return: the head averages over all positions, so that any
input length and size gives one row of logits a clip, in train and eval mode alike; and layer
settings are Python ints instead of numpy's, on which torch.compile fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models.networks.classifier import Classifier
from glore_video.models.networks.plain_numbers import make_numbers_plain

_STAGE_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class _Kernels(NamedTuple):
    """Temporal kernels of the stem and, repeated over its blocks, of Res2 to Res5."""

    stem: int
    stages: tuple[tuple[int, ...], ...]
    halves_frames: bool = False  # after Res2


RESNETS = {
    "c2d": _Kernels(1, ((1,), (1,), (1,), (1,)), halves_frames=True),
    "c2d_nopool": _Kernels(1, ((1,), (1,), (1,), (1,))),
    "i3d": _Kernels(5, ((3,), (3, 1), (3, 1), (1, 3)), halves_frames=True),
    "slow": _Kernels(1, ((1,), (1,), (3,), (3,))),
}
_FAST = _Kernels(5, ((3,), (3,), (3,), (3,)))


@dataclass(frozen=True)
class SlowFastOptions:
    """What SlowFast adds to a ResNet (section 3 of its paper; SLOWFAST of its configs).

    Attributes:
        alpha: frames of the fast pathway for each frame of the slow one.
        beta_inv: channels of the slow pathway for each channel of the fast one.
        fusion_conv_channel_ratio: channels of a fusion for each channel of the fast pathway.
        fusion_kernel_size: temporal kernel of a fusion, odd.
    """

    alpha: int = 4
    beta_inv: int = 8
    fusion_conv_channel_ratio: int = 2
    fusion_kernel_size: int = 7


def resnet(
    arch: str,
    depth: int = 50,
    *,
    num_classes: int = 400,
    dropout_rate: float = 0.5,
    zero_init_final_bn: bool = False,
    num_block_temp_kernel: Sequence[int] | None = None,
) -> nn.Module:
    """A residual network with one pathway.

    Args:
        arch: "c2d" (2D convolutions on every frame, the number of frames halved after Res2),
            "c2d_nopool" (the same with all frames kept to the end, SlowFast's C2D_NOPOOL), "i3d"
            (temporal kernels in the stem and every other block, frames halved after Res2) or "slow"
            (temporal kernels in Res4 and Res5 only, all frames kept).
        depth: 50 or 101.
        num_classes: width of the logits.
        dropout_rate: before the classifier.
        zero_init_final_bn: start the last batch norm of every block at zero.
        num_block_temp_kernel: four numbers that limit temporal kernels to the first so many blocks
            of Res2 to Res5; all by default.

    Returns:
        A network that takes (batch, 3, frames, height, width), frames >= 2 where they are halved,
        and returns logits (batch, num_classes).

    Raises:
        ValueError: for another arch, depth or limits.
    """
    if arch not in RESNETS:
        raise UsageError(f"arch must be one of {', '.join(RESNETS)}, got {arch!r}")
    from glore_video.models.networks._pytorchvideo import create_resnet

    kernels = RESNETS[arch]
    network = create_resnet(
        model_depth=_checked(depth),
        model_num_class=num_classes,
        dropout_rate=dropout_rate,
        stem_conv_kernel_size=(kernels.stem, 7, 7),
        stage1_pool=nn.MaxPool3d if kernels.halves_frames else None,
        stage_conv_a_kernel_size=_temporal_kernels(kernels.stages, depth, num_block_temp_kernel),
        head_pool=nn.AdaptiveAvgPool3d,
    )
    return _finish(network, zero_init_final_bn)


class SlowFast(nn.Module):
    """pytorchvideo's SlowFast network, which also takes one clip for both pathways.

    Shapes: [slow clip (batch, 3, frames / alpha, height, width), fast clip (batch, 3, frames,
    height, width)], or the fast clip alone, of which the slow pathway gets every alpha-th frame or
    so -> logits (batch, num_classes).

    Raises:
        ValueError: for another number of clips, or frames that do not divide by alpha.
    """

    def __init__(self, blocks: nn.ModuleList, alpha: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.alpha = alpha

    def forward(self, clips: Tensor | Sequence[Tensor]) -> Tensor:
        if isinstance(clips, Tensor):
            clips = [slow_frames(clips, self.alpha), clips]
        if len(clips) != 2:
            raise UsageError(f"SlowFast needs a slow and a fast clip, got {len(clips)} clips")
        if clips[1].shape[2] != self.alpha * clips[0].shape[2]:
            raise UsageError(
                f"the fast clip must have {self.alpha} times the frames of the slow one, got "
                f"{clips[1].shape[2]} and {clips[0].shape[2]}"
            )
        x: list[Tensor] | Tensor = list(clips)
        for block in self.blocks:
            x = block(x)
        return x  # type: ignore[return-value]


def slow_frames(clip: Tensor, alpha: int) -> Tensor:
    """The slow pathway's share of a clip, picked as SlowFast does (datasets/utils.py).

    (batch, channels, frames, height, width) -> (batch, channels, frames / alpha, height, width):
    evenly spaced frames from the first to the last, positions rounded down.

    Raises:
        ValueError: if frames do not divide by alpha.
    """
    frames = clip.shape[2]
    if frames < alpha or frames % alpha:
        raise UsageError(f"a SlowFast clip needs a multiple of {alpha} frames, got {frames}")
    # A few bytes, which the device has of its own before the host goes on: nothing is waited for.
    places = _evenly_spaced(frames, frames // alpha).to(clip.device, non_blocking=True)
    return clip.index_select(2, places)


def _evenly_spaced(frames: int, count: int) -> Tensor:
    """`torch.linspace(0, frames - 1, count).long()`, of which torch.compile makes one graph.

    Float32 on the CPU, counted from both ends, as torch does for SlowFast: another rounding picks
    another frame now and then.
    """
    place, gaps = torch.arange(count, device="cpu"), max(count - 1, 1)
    step = torch.full((), frames - 1, dtype=torch.float32, device="cpu") / gaps
    from_start = place * step
    from_end = frames - 1 - (gaps - place) * step
    return torch.where(2 * place < gaps, from_start, from_end).long()


def slowfast(
    depth: int = 50,
    *,
    num_classes: int = 400,
    dropout_rate: float = 0.5,
    zero_init_final_bn: bool = False,
    options: SlowFastOptions | None = None,
    num_block_temp_kernel: Sequence[Sequence[int]] | None = None,
) -> SlowFast:
    """SlowFast. Arguments as `resnet`, and

    Args:
        options: `SlowFastOptions()` by default, pytorchvideo's slowfast_r50.
        num_block_temp_kernel: for each of Res2 to Res5 and each pathway, how many blocks have
            temporal kernels; all by default.
    """
    from glore_video.models.networks._pytorchvideo import create_slowfast

    options = options or SlowFastOptions()
    if options.alpha < 1 or options.fusion_kernel_size % 2 == 0 or 64 % options.beta_inv:
        raise UsageError(
            f"alpha must be at least 1, fusion_kernel_size odd and beta_inv a divisor of 64, "
            f"got {options}"
        )
    slow = RESNETS["slow"]
    limits: Sequence[Sequence[int] | None] = [None, None]
    if num_block_temp_kernel is not None:
        limits = [[stage[pathway] for stage in num_block_temp_kernel] for pathway in (0, 1)]
    network = create_slowfast(
        slowfast_channel_reduction_ratio=(options.beta_inv,),
        slowfast_conv_channel_fusion_ratio=options.fusion_conv_channel_ratio,
        slowfast_fusion_conv_kernel_size=(options.fusion_kernel_size, 1, 1),
        slowfast_fusion_conv_stride=(options.alpha, 1, 1),
        model_depth=_checked(depth),
        model_num_class=num_classes,
        dropout_rate=dropout_rate,
        stem_dim_outs=(64, 64 // options.beta_inv),
        stem_conv_kernel_sizes=((slow.stem, 7, 7), (_FAST.stem, 7, 7)),
        stage_conv_a_kernel_sizes=(
            _temporal_kernels(slow.stages, depth, limits[0]),
            _temporal_kernels(_FAST.stages, depth, limits[1]),
        ),
        head_pool=nn.AdaptiveAvgPool3d,
    )
    _finish(network, zero_init_final_bn)
    return SlowFast(network.blocks, options.alpha)


def _checked(depth: int) -> int:
    if depth not in _STAGE_DEPTHS:
        raise UsageError(f"depth must be one of {sorted(_STAGE_DEPTHS)}, got {depth}")
    return depth


def _temporal_kernels(
    stages: tuple[tuple[int, ...], ...], depth: int, limits: Sequence[int] | None
) -> list[list[tuple[int, int, int]]]:
    """Kernel size of conv_a for each block of each stage."""
    depths = _STAGE_DEPTHS[depth]
    limits = depths if limits is None else limits
    if len(limits) != 4 or any(not 0 <= n <= d for n, d in zip(limits, depths, strict=False)):
        raise UsageError(
            f"num_block_temp_kernel must be four numbers of at most {list(depths)} "
            f"(depth {depth}), got {list(limits)}"
        )
    return [
        [(pattern[i % len(pattern)] if i < limit else 1, 1, 1) for i in range(blocks)]
        for pattern, limit, blocks in zip(stages, limits, depths, strict=True)
    ]


def _finish(network: nn.Module, zero_init_final_bn: bool) -> nn.Module:
    for module in network.modules():
        if type(module) is nn.Linear:
            module.__class__ = Classifier
        if getattr(module, "block_final_bn", False) and not zero_init_final_bn:
            nn.init.ones_(module.weight)  # type: ignore[arg-type]
        for name in ("kernel_size", "stride", "padding", "dilation"):
            value = getattr(module, name, None)
            if isinstance(value, list):
                setattr(module, name, tuple(value))
    make_numbers_plain(network)
    return network
