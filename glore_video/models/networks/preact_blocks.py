"""Pre-activation residual blocks in two and three dimensions, and a network of four stages of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from glore_video.models.networks.classifier import Classifier

EPS = 1e-4  # of batch norms, as in the published code


class PreactConv(nn.Module):
    """Batch norm, ReLU, convolution without bias; padding keeps the size at stride 1.

    Its two classes differ in their number of position axes.
    """

    _convolution: Any
    _batch_norm: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: tuple[int, ...] = (),
        stride: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.bn = self._batch_norm(in_channels, eps=EPS)
        self.relu = nn.ReLU(inplace=True)
        self.conv = self._convolution(
            in_channels,
            out_channels,
            kernel_size or 1,
            stride=stride or 1,
            padding=tuple(side // 2 for side in kernel_size) or 0,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.relu(self.bn(x)))


class PreactConv2d(PreactConv):
    """`PreactConv` of (batch, channels, height, width)."""

    _convolution, _batch_norm = nn.Conv2d, nn.BatchNorm2d


class PreactConv3d(PreactConv):
    """`PreactConv` of (batch, channels, frames, height, width)."""

    _convolution, _batch_norm = nn.Conv3d, nn.BatchNorm3d


class PreactBottleneck(nn.Module):
    """Bottleneck of kt x 1 x 1, 1 x 3 x 3 (strided) and 1 x 1 x 1 convolutions; for pictures without t.

    Args:
        in_channels, inner_channels, out_channels: widths.
        temporal_kernel: kt, 3 or 1; of no use for pictures.
        stride: (time, height, width), or (height, width) of pictures.
        project: whether the shortcut is a strided 1 x 1 x 1 convolution, as in the first block of
            a stage.
    """

    def __init__(
        self,
        in_channels: int,
        inner_channels: int,
        out_channels: int,
        *,
        temporal_kernel: int = 1,
        stride: tuple[int, ...],
        project: bool,
    ) -> None:
        super().__init__()
        clips = len(stride) == 3
        conv: type[PreactConv] = PreactConv3d if clips else PreactConv2d
        first = (temporal_kernel, 1, 1) if clips else (1, 1)
        middle = (1, 3, 3) if clips else (3, 3)
        self.conv_m1 = conv(in_channels, inner_channels, kernel_size=first)
        self.conv_m2 = conv(inner_channels, inner_channels, kernel_size=middle, stride=stride)
        self.conv_m3 = conv(inner_channels, out_channels)
        self.conv_w1 = conv(in_channels, out_channels, stride=stride) if project else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.conv_w1 is None else self.conv_w1(x)
        # In place: the largest tensors of the network are not allocated once more.
        return self.conv_m3(self.conv_m2(self.conv_m1(x))).add_(shortcut)


def preact_stage(
    blocks: int,
    in_channels: int,
    inner_channels: int,
    *,
    stride: tuple[int, ...],
    temporal: tuple[int, ...] = (),
) -> nn.Sequential:
    """So many blocks, named B01, B02, ...; the first has the stride and a projection.

    Args:
        temporal: 1-based blocks whose first convolution spans three frames.
    """
    stage = nn.Sequential()
    for number in range(1, blocks + 1):
        first = number == 1
        block = PreactBottleneck(
            in_channels if first else 4 * inner_channels,
            inner_channels,
            4 * inner_channels,
            temporal_kernel=3 if number in temporal else 1,
            stride=stride if first else (1,) * len(stride),
            project=first,
        )
        stage.add_module(f"B{number:02d}", block)
    return stage


class PreactResNet(nn.Module):
    """Stem, Res2 to Res5, BN-ReLU, global average, linear.

    Args:
        stem: gives Res2 its input.
        stages: Res2 to Res5, the last of 2048 channels.
        tail: batch norm and ReLU.
        pool: the global average.
        num_classes: width of the logits.
        dropout_rate: before the classifier.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: tuple[nn.Module, nn.Module, nn.Module, nn.Module],
        tail: nn.Module,
        pool: nn.Module,
        *,
        num_classes: int,
        dropout_rate: float,
    ) -> None:
        super().__init__()
        self.conv1 = stem
        self.conv2, self.conv3, self.conv4, self.conv5 = stages
        self.tail = tail
        self.globalpool = pool
        self.dropout = nn.Dropout(dropout_rate)
        self.classifier = Classifier(2048, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = self.conv2(x)
        x = self.conv3(x)
        x = self.conv4(x)
        x = self.conv5(x)
        x = self.globalpool(self.tail(x)).flatten(1)  # (batch, 2048)
        return self.classifier(self.dropout(x))
