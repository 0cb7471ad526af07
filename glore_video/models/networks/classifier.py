"""The last linear layer of a network: logits in float32, under autocast too."""

from __future__ import annotations

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
