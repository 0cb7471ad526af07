"""The batch norm behind a product of small matrices with a large one, without the product.

With Y = M B for each clip, the mean and variance of Y over clips and positions follow from M and
from the mean and covariance of B over positions; the norm then folds into M and a bias. Y is
neither computed nor saved for the backward pass, nor can it overflow.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.errors import UsageError
from glore_video.models.units.all_reduce import gather_over_processes, processes_of
from glore_video.models.units.plain_layers import has_global_hooks, is_plain
from glore_video.models.units.sub_batch_norm import SUB_BATCH_NORMS, SubBatchNorm
from glore_video.models.units.tensors import converted, is_traced

_FOLDABLE = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    *SUB_BATCH_NORMS.values(),
)


def is_foldable(norm: nn.Module) -> TypeGuard[_BatchNorm]:
    """Whether `fold_batch_norm` computes what the norm would: torch's own, synchronised or split.

    One with hooks is called instead, so that who collects its inputs (precise batch norm) sees them.
    """
    return is_plain(norm, *_FOLDABLE) and not has_global_hooks()


def takes_batch_statistics(norm: _BatchNorm) -> bool:
    """Whether the norm, as it is set now, normalises with the statistics of its input."""
    return norm.training or norm.running_mean is None


def refuse_a_single_value() -> NoReturn:
    """Raises UsageError."""
    raise UsageError(
        "a batch norm in train mode needs more than one value a channel, got one clip "
        "with one position"
    )


def fold_batch_norm(
    norm: _BatchNorm,
    mixing: Tensor,
    mean: Tensor,
    covariance: Tensor | None,
    *,
    positions: int,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Folds `norm(scale * mixingᵀ B)` into `(folded mixing)ᵀ B + bias`; updates running statistics.

    Args:
        norm: a norm that `is_foldable`; its running statistics are updated as it would itself. A
            SyncBatchNorm in training exchanges one small tensor with the other processes.
        mixing: (batch, nodes, channels).
        mean, covariance: of B over the positions of each clip, (batch, nodes, 1) and (batch, nodes,
            nodes), float32 or wider; read only if `takes_batch_statistics(norm)`.
        positions: of each clip.
        scale: a factor of the mixing that is better not multiplied out.

    Returns:
        Folded mixing, of its dtype, and bias, (1, channels) or, where parts of the batch have
        statistics of their own, (batch, channels).

    Raises:
        ValueError: if batch statistics are wanted of a single value a channel, or of parts into
            which the batch cannot be split.
    """
    if takes_batch_statistics(norm):
        assert covariance is not None
        means, variances = _batch_statistics(norm, mixing, mean, covariance, positions, scale)
    else:
        means = cast(Tensor, norm.running_mean).to(mean.dtype)[None]  # (1, channels)
        variances = cast(Tensor, norm.running_var).to(mean.dtype)[None]
    factor = torch.rsqrt(variances + norm.eps)
    if norm.weight is not None:
        factor = norm.weight * factor
    bias = -means * factor
    if norm.bias is not None:
        bias = bias + norm.bias
    return mixing * (factor * scale).to(mixing.dtype)[:, None], bias


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
    parts = 1
    if isinstance(norm, SubBatchNorm) and norm.training:
        norm.check_splits(clips)
        parts = norm.num_splits
    # Of Y over the positions of each clip, then over the clips of each part, but for `scale`.
    clip_means = torch.bmm(mean.to(mixing.dtype).transpose(1, 2), mixing).to(mean.dtype)
    if is_traced():
        clip_variances, _ = _quadratic(mixing, covariance)  # (batch, channels)
    else:
        clip_variances = _Quadratic.apply(mixing, covariance)
    clip_variances = clip_variances.clamp(min=0)  # where terms cancel, rounding could go below
    means, variances = _pooled(
        clip_means.view(parts, clips // parts, -1), clip_variances.view(parts, clips // parts, -1)
    )  # (parts, channels)
    processes = processes_of(norm) if isinstance(norm, nn.SyncBatchNorm) else None
    if processes is not None:
        own = torch.cat([means, variances, means.new_full((1, 1), numbers)], 1)
        each = gather_over_processes(own, processes)  # (processes, 1, 2 channels + 1)
        counts = each[..., -1:].detach().transpose(0, 1)
        count = counts.sum()
        each_mean, each_variance = each[..., :-1].transpose(0, 1).chunk(2, 2)
        means, variances = _pooled(each_mean, each_variance, counts / count)  # (1, channels)
    elif numbers == 1:
        refuse_a_single_value()
    means, variances = means * scale, variances * scale**2
    if norm.training and norm.track_running_stats and norm.running_mean is not None:
        _update_running_statistics(norm, means, variances, count)
    if parts > 1:
        means = means.repeat_interleave(clips // parts, 0)
        variances = variances.repeat_interleave(clips // parts, 0)
    return means, variances


def _quadratic(mixing: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The diagonal of Mᵀ C M for each clip, (batch, channels), of C's dtype; and C M."""
    product = torch.bmm(converted(covariance, mixing.dtype), mixing)  # (batch, nodes, channels)
    return (product * mixing).sum(1, dtype=covariance.dtype), product


class _Quadratic(torch.autograd.Function):
    """The first of `_quadratic`, for a symmetric C.

    C M is saved, so that the backward pass needs one product, not three.
    """

    @staticmethod
    def forward(ctx: Any, mixing: Tensor, covariance: Tensor) -> Tensor:
        diagonal, product = _quadratic(mixing, covariance)
        ctx.save_for_backward(mixing, covariance, product)
        return diagonal

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        mixing, covariance, product = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants gradients of this gradient
            product = torch.bmm(covariance.to(mixing.dtype), mixing)
        columns = gradient.to(mixing.dtype)[:, None]  # (batch, 1, channels)
        for_covariance = torch.bmm(mixing * columns, mixing.transpose(1, 2))
        return product * (2 * columns), for_covariance.to(covariance.dtype)


def _pooled(
    means: Tensor, variances: Tensor, shares: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance over sets of numbers, (parts, sets, channels), equally large or not."""

    def over_sets(values: Tensor) -> Tensor:
        return values.mean(1) if shares is None else (values * shares).sum(1)

    mean = over_sets(means)  # (parts, channels)
    return mean, over_sets(variances + (means - mean[:, None]) ** 2)


@torch.no_grad()
def _update_running_statistics(
    norm: _BatchNorm, means: Tensor, variances: Tensor, count: int | Tensor
) -> None:
    """With the statistics of so many numbers, given as those of equal parts, (parts, channels)."""
    mean, variance = (values[0] for values in _pooled(means[None], variances[None]))
    batches = norm.num_batches_tracked
    if batches is not None:
        batches.add_(1)
    unbiased = variance * (count / (count - 1))
    for running, value in ((norm.running_mean, mean), (norm.running_var, unbiased)):
        assert running is not None
        weight: Tensor | float | None = norm.momentum
        if weight is None:  # the average of all batches; torch takes in none that is not counted
            weight = 0.0 if batches is None else 1 / batches.to(running.dtype)
        running.lerp_(value.to(running.dtype), weight)
