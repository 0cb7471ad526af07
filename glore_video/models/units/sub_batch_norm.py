"""Sub-batch norm: batch norm over parts of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.errors import UsageError


class SubBatchNorm(_BatchNorm):
    """In training, each of `num_splits` equal parts of a batch is normalised by its own statistics.

    Running statistics are those of the whole batch, so that parameters, buffers and evaluation are
    those of the batch norm that it takes the place of. (SlowFast's models/batchnorm_helper.py keeps
    statistics for each part.) For inputs of (batch, channels, *positions).

    Raises:
        UsageError: in training, for a batch that num_splits does not divide.
    """

    num_splits: int = 1

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.num_splits == 1:
            return super().forward(input)
        self._check_input_dim(input)
        clips = len(input)
        self.check_splits(clips)
        size = clips // self.num_splits
        parts = [
            F.batch_norm(part, None, None, self.weight, self.bias, True, 0.0, self.eps)
            for part in input.split(size)
        ]
        if self.track_running_stats:
            self._update_statistics(input.detach())
        return torch.cat(parts)

    def check_splits(self, clips: int) -> None:
        """Raises UsageError if so many clips have no `num_splits` equal parts."""
        if clips % self.num_splits:
            raise UsageError(
                f"BN.NUM_SPLITS = {self.num_splits} does not divide a batch of {clips} clips"
            )

    @torch.no_grad()
    def _update_statistics(self, batch: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        batches = self.num_batches_tracked
        if batches is not None:
            batches.add_(1)
        momentum = self.momentum
        if momentum is None:  # torch's cumulative average, which takes in no batch uncounted
            momentum = 0.0 if batches is None else 1.0 / float(batches)
        wide = torch.promote_types(batch.dtype, torch.float32)
        others = (0, *range(2, batch.dim()))
        variance, mean = torch.var_mean(batch.to(wide), dim=others)
        for buffer, value in ((self.running_mean, mean), (self.running_var, variance)):
            buffer.lerp_(value.to(buffer.dtype), momentum)


class SubBatchNorm1d(SubBatchNorm, nn.BatchNorm1d):
    """See SubBatchNorm; inputs (batch, channels) or (batch, channels, length)."""


class SubBatchNorm2d(SubBatchNorm, nn.BatchNorm2d):
    """See SubBatchNorm; inputs (batch, channels, height, width)."""


class SubBatchNorm3d(SubBatchNorm, nn.BatchNorm3d):
    """See SubBatchNorm; inputs (batch, channels, frames, height, width)."""


SUB_BATCH_NORMS: dict[type[nn.Module], type[SubBatchNorm]] = {
    nn.BatchNorm1d: SubBatchNorm1d,
    nn.BatchNorm2d: SubBatchNorm2d,
    nn.BatchNorm3d: SubBatchNorm3d,
}
"""Of each of torch's batch norms the one that takes its place."""
