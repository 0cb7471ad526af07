"""Small residual networks for demonstrations, tests and CPU-sized experiments, 3D and 2D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models.networks.classifier import Classifier

# Number of position axes -> convolution, batch norm, pooling, memory format.
_LAYERS: dict[int, tuple[Any, Any, Any, torch.memory_format]] = {
    2: (nn.Conv2d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d, torch.channels_last),
    3: (nn.Conv3d, nn.BatchNorm3d, nn.AdaptiveAvgPool3d, torch.channels_last_3d),
}


def _spatial(stride: int, dimension: int) -> tuple[int, ...]:
    """A stride in height and width; frames, where there are any, stay as many."""
    return (*(1,) * (dimension - 2), stride, stride)


class TinyBlock(nn.Module):
    """Residual block: conv-BN-ReLU, conv-BN, shortcut, ReLU.

    Args:
        in_channels, out_channels: widths.
        stride: spatial stride of the first convolution and of the shortcut.
        kernel_size: of both convolutions, on all axes; 3 or 1.
        dimension: position axes, 2 or 3.

    Shapes: (batch, in_channels, t, h, w) -> (batch, out_channels, t, h / stride, w / stride), in two
    dimensions without t.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        kernel_size: int = 3,
        dimension: int = 3,
    ) -> None:
        super().__init__()
        conv, batch_norm, _, _ = _LAYERS[dimension]
        strides = _spatial(stride, dimension)
        padding = kernel_size // 2
        self.conv1 = conv(
            in_channels, out_channels, kernel_size, stride=strides, padding=padding, bias=False
        )
        self.bn1 = batch_norm(out_channels)
        self.conv2 = conv(out_channels, out_channels, kernel_size, padding=padding, bias=False)
        self.bn2 = batch_norm(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                conv(in_channels, out_channels, 1, stride=strides, bias=False),
                batch_norm(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.shortcut(x))


class _TinyBody(nn.Module):
    """Stem and three residual blocks, all of whose features see a small part of the input."""

    dimension: int

    def __init__(self, widths: Sequence[int], in_channels: int) -> None:
        super().__init__()
        if len(widths) != 3:
            raise UsageError(f"widths must be three numbers, got {tuple(widths)}")
        stem, middle, last = widths
        conv, batch_norm, _, _ = _LAYERS[self.dimension]
        strides, shared = _spatial(2, self.dimension), {"dimension": self.dimension}
        self.stem = nn.Sequential(
            conv(in_channels, stem, 3, stride=strides, padding=1, bias=False),
            batch_norm(stem),
            nn.ReLU(inplace=True),
        )
        self.stage1 = nn.Sequential(
            TinyBlock(stem, middle, stride=2, **shared),
            TinyBlock(middle, middle, kernel_size=1, **shared),
        )
        self.stage2 = nn.Sequential(TinyBlock(middle, last, kernel_size=1, **shared))

    def maps(self, x: Tensor) -> list[Tensor]:
        """Of `stage1` and of `stage2`: (batch, width, t, h / 4, w / 4)."""
        memory_format = _LAYERS[self.dimension][
            3
        ]  # an attribute would not be pickled by torch.save
        x = x.contiguous(memory_format=memory_format)  # 1.3 times as fast on CPUs in 3D
        x = self.stage1(self.stem(x))
        return [x, self.stage2(x)]


class _TinyResNet(_TinyBody):
    """The average over the body's last map, and a classifier."""

    def __init__(
        self,
        num_classes: int,
        *,
        widths: Sequence[int] = (16, 32, 64),
        in_channels: int = 3,
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__(widths, in_channels)
        self.pool = _LAYERS[self.dimension][2](1)
        self.dropout = nn.Dropout(dropout_rate)
        self.classifier = Classifier(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maps(x)[-1]  # (batch, last, t, h / 4, w / 4)
        x = self.pool(x).flatten(1)  # (batch, last)
        return self.classifier(self.dropout(x))


class TinyResNet3d(_TinyResNet):
    """Stem and three residual blocks whose receptive field stays small: 15 pixels, 7 frames.

    A feature never sees two things that lie far apart in the picture, so only a module with a
    global view (a GloRe unit, a non-local block) can relate them before the average. The last
    two blocks convolve with 1x1x1 kernels for the same reason.

    Args:
        num_classes: width of the logits.
        widths: channels of the stem, of `stage1` (two blocks) and of `stage2` (one block).
        in_channels: channels of the clip.
        dropout_rate: before the classifier.

    Shapes: (batch, in_channels, frames, height, width) -> logits (batch, num_classes); any length
    and size, in train and eval mode.
    """

    dimension = 3


class TinyResNet2d(_TinyResNet):
    """`TinyResNet3d` for pictures; its receptive field is 15 pixels.

    Shapes: (batch, in_channels, height, width) -> logits (batch, num_classes).
    """

    dimension = 2


class TinyBackbone2d(_TinyBody):
    """`TinyResNet2d` without its average and classifier: feature maps at a quarter of the size.

    Args:
        widths: channels of the stem, of `stage1` and of `stage2`.

    Shapes: (batch, 3, height, width) -> maps of `stage1` and of `stage2`, (batch, channels, height / 4,
    width / 4), rounded up.
    """

    dimension = 2

    def __init__(self, widths: Sequence[int] = (16, 32, 64)) -> None:
        super().__init__(widths, 3)
        self.channels = tuple(widths[1:])

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.maps(x)
