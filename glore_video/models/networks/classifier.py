"""The last layer of a network: logits in float32, under autocast too."""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx, nn

from glore_video.models.units.tensors import autocasts, without_autocast


class Classifier(nn.Linear):
    """Linear layer whose product is taken in the precision of its weights, whatever autocast says.

    In half precision logits have so few digits that the first classes of a clip are often equal.
    The layer is a small part of a network's arithmetic. It can be traced like any linear layer.

    Shapes: (..., in_features) -> (..., out_features).
    """

    def forward(self, input: Tensor) -> Tensor:
        return _product(input, self.weight, self.bias)


@fx.wrap
def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not autocasts(x):
        return nn.functional.linear(x, weight, bias)
    with without_autocast(x):
        return nn.functional.linear(x.to(weight.dtype), weight, bias)


class PixelClassifier(nn.Conv2d):
    """`Classifier` of each position of a map: a 1 x 1 convolution in the precision of its weights.

    Shapes: (batch, in_channels, height, width) -> (batch, num_classes, height, width).
    """

    def __init__(self, in_channels: int, num_classes: int, *, kernel_size: Any = 1) -> None:
        super().__init__(in_channels, num_classes, kernel_size)  # of size 1, as renew_head has it

    def forward(self, input: Tensor) -> Tensor:
        return _convolved(input, self.weight, self.bias)


@fx.wrap
def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not autocasts(x):
        return nn.functional.conv2d(x, weight, bias)
    with without_autocast(x):
        return nn.functional.conv2d(x.to(weight.dtype), weight, bias)
