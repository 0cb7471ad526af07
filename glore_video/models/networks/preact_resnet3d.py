"""The plain Kinetics network of the GloRe paper: a light pre-activation 3D ResNet.

Layers, widths and module names as in `network/resnet50_3d_gcn_x5.py` and
`network/resnet101_3d_gcn_x5.py` of facebookresearch/GloRe, without their units, which
`insert_glore` adds.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models.networks.classifier import Classifier

_EPS = 1e-4
_STAGE_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class PreactConv3d(nn.Module):
    """Batch norm, ReLU, convolution without bias; padding keeps the size at stride 1."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: tuple[int, int, int] = (1, 1, 1),
        stride: tuple[int, int, int] = (1, 1, 1),
    ) -> None:
        super().__init__()
        self.bn = nn.BatchNorm3d(in_channels, eps=_EPS)
        self.relu = nn.ReLU(inplace=True)
        t, h, w = kernel_size
        self.conv = nn.Conv3d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=(t // 2, h // 2, w // 2),
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.relu(self.bn(x)))


class PreactBottleneck(nn.Module):
    """Bottleneck of kt x 1 x 1, 1 x 3 x 3 (strided) and 1 x 1 x 1 convolutions.

    Args:
        in_channels, inner_channels, out_channels: widths.
        temporal_kernel: kt, 3 or 1.
        stride: (time, height, width).
        project: whether the shortcut is a strided 1 x 1 x 1 convolution, as in the first block of
            a stage.
    """

    def __init__(
        self,
        in_channels: int,
        inner_channels: int,
        out_channels: int,
        *,
        temporal_kernel: int,
        stride: tuple[int, int, int],
        project: bool,
    ) -> None:
        super().__init__()
        self.conv_m1 = PreactConv3d(
            in_channels, inner_channels, kernel_size=(temporal_kernel, 1, 1)
        )
        self.conv_m2 = PreactConv3d(
            inner_channels, inner_channels, kernel_size=(1, 3, 3), stride=stride
        )
        self.conv_m3 = PreactConv3d(inner_channels, out_channels)
        self.conv_w1 = PreactConv3d(in_channels, out_channels, stride=stride) if project else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.conv_w1 is None else self.conv_w1(x)
        # In place: the largest tensors of the network are not allocated once more.
        return self.conv_m3(self.conv_m2(self.conv_m1(x))).add_(shortcut)


def _stage(
    stage: int,
    depth: int,
    in_channels: int,
    inner_channels: int,
    *,
    stride: tuple[int, int, int],
) -> nn.Sequential:
    """Res2 to Res5, blocks named B01, B02, ..."""
    blocks = nn.Sequential()
    for number in range(1, depth + 1):
        first = number == 1
        temporal = {2: True, 3: number % 2 == 1, 4: number % 2 == 1, 5: number == 2}[stage]
        block = PreactBottleneck(
            in_channels if first else 4 * inner_channels,
            inner_channels,
            4 * inner_channels,
            temporal_kernel=3 if temporal else 1,
            stride=stride if first else (1, 1, 1),
            project=first,
        )
        blocks.add_module(f"B{number:02d}", block)
    return blocks


class PreactResNet3d(nn.Module):
    """The paper's I3D-like baseline on Kinetics ("8x8": 8 frames, stride 8).

    The published network averages exactly 4 x 7 x 7 features; here the average is global, the same
    for 8 x 224 x 224 clips.

    Args:
        depth: 50 or 101.
        num_classes: width of the logits.
        dropout_rate: before the classifier.

    Shapes: (batch, 3, frames, height, width) -> logits (batch, num_classes); any length and size,
    in train and eval mode.

    Raises:
        ValueError: for another depth.
    """

    def __init__(
        self, depth: int = 50, *, num_classes: int = 400, dropout_rate: float = 0.5
    ) -> None:
        super().__init__()
        if depth not in _STAGE_DEPTHS:
            raise UsageError(f"depth must be one of {sorted(_STAGE_DEPTHS)}, got {depth}")
        self.conv1 = nn.Sequential(
            OrderedDict(
                conv=nn.Conv3d(3, 32, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), bias=False),
                bn=nn.BatchNorm3d(32, eps=_EPS),
                relu=nn.ReLU(inplace=True),
                max_pool=nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            )
        )
        depths = _STAGE_DEPTHS[depth]
        self.conv2 = _stage(2, depths[0], 32, 64, stride=(1, 1, 1))
        self.conv3 = _stage(3, depths[1], 256, 128, stride=(2, 2, 2))
        self.conv4 = _stage(4, depths[2], 512, 256, stride=(1, 2, 2))
        self.conv5 = _stage(5, depths[3], 1024, 512, stride=(1, 2, 2))
        self.tail = nn.Sequential(
            OrderedDict(bn=nn.BatchNorm3d(2048, eps=_EPS), relu=nn.ReLU(inplace=True))
        )
        self.globalpool = nn.AdaptiveAvgPool3d(1)
        self.dropout = nn.Dropout(dropout_rate)
        self.classifier = Classifier(2048, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        """Xavier-uniform weights and zero biases, as published."""
        for module in self.modules():
            if isinstance(module, (nn.Conv3d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)  # (batch, 32, t, h / 4, w / 4)
        x = self.conv2(x)  # (batch, 256, t, h / 4, w / 4)
        x = self.conv3(x)  # (batch, 512, t / 2, h / 8, w / 8)
        x = self.conv4(x)  # (batch, 1024, t / 2, h / 16, w / 16)
        x = self.conv5(x)  # (batch, 2048, t / 2, h / 32, w / 32)
        x = self.globalpool(self.tail(x)).flatten(1)  # (batch, 2048)
        return self.classifier(self.dropout(x))
