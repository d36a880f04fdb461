"""Normalisation over the channels or over the active cells."""

import torch
from torch import nn

from recsparse.sparse.tensor import SparseTensor


class SparseBatchNorm(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` over the active cells; empty cells do not count.

    In training, a batch of fewer than two cells has no variance and is normalised by the running
    statistics, which stay as they are; without running statistics torch's own rules hold.
    """

    def forward(self, input: SparseTensor) -> SparseTensor:  # type: ignore[override]
        """Normalise each channel over all active cells of the batch.

        Args:
            input: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        if self.training and self.track_running_stats and len(input.feats) < 2:
            return input.with_feats(self._by_running_statistics(input.feats))
        return input.with_feats(super().forward(input.feats))

    def _by_running_statistics(self, feats: torch.Tensor) -> torch.Tensor:
        return nn.functional.batch_norm(
            feats, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class SparseLayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` over the channels of each active cell."""

    def forward(self, input: SparseTensor) -> SparseTensor:  # type: ignore[override]
        """Normalise each active cell over its channels.

        Args:
            input: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        return input.with_feats(super().forward(input.feats))
