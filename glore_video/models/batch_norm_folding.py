"""The batch norm behind a product of small matrices with a large one, without the product.

With Y = M B for each clip, the mean and variance of Y over clips and positions follow from M and
from the mean and covariance of B over positions; the norm then folds into M and a bias. Y is
neither computed nor saved for the backward pass, nor can it overflow.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


def takes_batch_statistics(norm: _BatchNorm) -> bool:
    """Whether the norm, as it is set now, normalises with the statistics of its input."""
    return norm.training or norm.running_mean is None


def fold_batch_norm(
    norm: _BatchNorm,
    mixing: Tensor,
    mean: Tensor,
    covariance: Tensor | None,
    *,
    positions: int,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Folds `norm(scale * mixingᵀ B)` into `folded mixingᵀ B + bias`; updates running statistics.

    Args:
        norm: a batch norm over channels; its running statistics are updated as it would itself.
        mixing: (batch, nodes, channels), float32 or wider.
        mean, covariance: of B over the positions of each clip, (batch, nodes, 1) and (batch, nodes,
            nodes), of the same dtype; read only if `takes_batch_statistics(norm)`.
        positions: of each clip.
        scale: a factor of the mixing that is better not multiplied out.

    Returns:
        Folded mixing (batch, nodes, channels) and bias (channels,).

    Raises:
        ValueError: if batch statistics are wanted of a single value a channel.
    """
    if takes_batch_statistics(norm):
        assert covariance is not None
        if mixing.shape[0] * positions == 1:
            raise ValueError(
                "a batch norm in train mode needs more than one value a channel, got one clip "
                "with one position"
            )
        means = torch.bmm(mean.transpose(1, 2), mixing).squeeze(1)  # (batch, channels)
        output_mean = means.mean(0)
        variance = (torch.bmm(covariance, mixing) * mixing).sum(1) + (means - output_mean) ** 2
        output_mean = output_mean * scale
        variance = variance.mean(0) * scale**2
        if norm.training and norm.running_mean is not None:
            _update_running_statistics(norm, output_mean, variance, mixing.shape[0] * positions)
    else:
        output_mean = norm.running_mean.to(mixing.dtype)  # type: ignore[union-attr]
        variance = norm.running_var.to(mixing.dtype)  # type: ignore[union-attr]
    deviation = torch.sqrt(variance + norm.eps)
    factor = norm.weight / deviation if norm.affine else 1 / deviation
    bias = -output_mean * factor
    if norm.affine:
        bias = bias + norm.bias
    return mixing * (factor * scale), bias


@torch.no_grad()
def _update_running_statistics(
    norm: _BatchNorm, mean: Tensor, variance: Tensor, count: int
) -> None:
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    unbiased = variance * (count / (count - 1))
    for running, value in ((norm.running_mean, mean), (norm.running_var, unbiased)):
        assert running is not None
        momentum = norm.momentum
        weight = 1 / norm.num_batches_tracked.to(running.dtype) if momentum is None else momentum
        running.lerp_(value.to(running.dtype), weight)
