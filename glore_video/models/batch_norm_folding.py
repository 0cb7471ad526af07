"""The batch norm behind a product of small matrices with a large one, without the product.

With Y = M B for each clip, the mean and variance of Y over clips and positions follow from M and
from the mean and covariance of B over positions; the norm then folds into M and a bias. Y is
neither computed nor saved for the backward pass, nor can it overflow.
"""

from __future__ import annotations

from typing import TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.models.over_processes import gather_over_processes, processes_of
from glore_video.models.sub_batch_norm import SubBatchNorm3d

_FOLDABLE = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    SubBatchNorm3d,
)


def is_foldable(norm: nn.Module) -> TypeGuard[_BatchNorm]:
    """Whether `fold_batch_norm` computes what the norm would: torch's own, synchronised or split."""
    return type(norm) in _FOLDABLE


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
        norm: a norm that `is_foldable`; its running statistics are updated as it would itself. A
            SyncBatchNorm in training exchanges one small tensor with the other processes.
        mixing: (batch, nodes, channels), float32 or wider.
        mean, covariance: of B over the positions of each clip, (batch, nodes, 1) and (batch, nodes,
            nodes), of the same dtype; read only if `takes_batch_statistics(norm)`.
        positions: of each clip.
        scale: a factor of the mixing that is better not multiplied out.

    Returns:
        Folded mixing (batch, nodes, channels) and bias, (1, channels) or, where each part of a
        batch has statistics of its own, (batch, channels).

    Raises:
        ValueError: if batch statistics are wanted of a single value a channel, or of parts into
            which the batch cannot be split.
    """
    if takes_batch_statistics(norm):
        assert covariance is not None
        means, variances = _batch_statistics(norm, mixing, mean, covariance, positions, scale)
    else:
        means = cast(Tensor, norm.running_mean).to(mixing.dtype)[None]  # (1, channels)
        variances = cast(Tensor, norm.running_var).to(mixing.dtype)[None]
    factor = torch.rsqrt(variances + norm.eps)
    if norm.affine:
        factor = norm.weight * factor
    bias = -means * factor
    if norm.affine:
        bias = bias + norm.bias
    return mixing * (factor * scale)[:, None], bias


def _batch_statistics(
    norm: _BatchNorm,
    mixing: Tensor,
    mean: Tensor,
    covariance: Tensor,
    positions: int,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Mean and variance to normalise with, both (1 or batch, channels)."""
    clips = mixing.shape[0]
    numbers = clips * positions
    count: int | Tensor = numbers
    # Of Y over the positions of each clip, then over the clips of each part, but for `scale`.
    clip_means = torch.bmm(mean.transpose(1, 2), mixing).squeeze(1)  # (batch, channels)
    clip_variances = (torch.bmm(covariance, mixing) * mixing).sum(1)  # (batch, channels)
    if isinstance(norm, SubBatchNorm3d) and norm.training and norm.num_splits > 1:
        norm.check_splits(clips)
        size = clips // norm.num_splits
        means, variances = _pooled(
            clip_means.unflatten(0, (-1, size)), clip_variances.unflatten(0, (-1, size)), dim=1
        )  # (parts, channels)
        whole_mean, whole_variance = _pooled(means, variances, dim=0)
        means = means.repeat_interleave(size, 0)  # (batch, channels)
        variances = variances.repeat_interleave(size, 0)
    else:
        whole_mean, whole_variance = _pooled(clip_means, clip_variances, dim=0)  # (channels,)
        processes = processes_of(norm) if isinstance(norm, nn.SyncBatchNorm) else None
        if processes is not None:
            own = torch.cat(
                [whole_mean, whole_variance, whole_mean.new_full((1,), numbers)]
            )  # (2 channels + 1,)
            each = gather_over_processes(own, processes)  # (processes, 2 channels + 1)
            each_mean, each_variance = each[:, :-1].chunk(2, 1)
            counts = each[:, -1:].detach()
            count = counts.sum()
            whole_mean, whole_variance = _pooled(each_mean, each_variance, counts / count, dim=0)
        elif numbers == 1:
            raise ValueError(
                "a batch norm in train mode needs more than one value a channel, got one clip "
                "with one position"
            )
        means, variances = whole_mean[None], whole_variance[None]
    if norm.training and norm.running_mean is not None:
        _update_running_statistics(norm, whole_mean * scale, whole_variance * scale**2, count)
    return means * scale, variances * scale**2


def _pooled(
    means: Tensor, variances: Tensor, shares: Tensor | None = None, *, dim: int
) -> tuple[Tensor, Tensor]:
    """Mean and variance over sets of numbers of which each has its own, equally large or not."""

    def over_sets(values: Tensor) -> Tensor:
        return values.mean(dim) if shares is None else (values * shares).sum(dim)

    mean = over_sets(means)
    return mean, over_sets(variances + (means - mean.unsqueeze(dim)) ** 2)


@torch.no_grad()
def _update_running_statistics(
    norm: _BatchNorm, mean: Tensor, variance: Tensor, count: int | Tensor
) -> None:
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    unbiased = variance * (count / (count - 1))
    for running, value in ((norm.running_mean, mean), (norm.running_var, unbiased)):
        assert running is not None
        momentum = norm.momentum
        weight = 1 / norm.num_batches_tracked.to(running.dtype) if momentum is None else momentum
        running.lerp_(value.to(running.dtype), weight)
