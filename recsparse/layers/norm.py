"""Normalisation of active cells: over the batch, a sample, groups of channels, or a cell.

Every layer is torch's own where all cells are active, with the same parameters, state and types;
empty cells do not count. Statistics of low-precision features are computed in float32, and so are
their gradients; running statistics are rounded to the type in which the layer holds them.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.layers.wide_batch_norm import batch_norm_by, wide_batch_norm
from recsparse.sparse.precision import is_low, widened
from recsparse.sparse.scatter import scatter_mean
from recsparse.sparse.tensor import SparseTensor


class SparseBatchNorm(nn.BatchNorm1d):
    """Batch norm: each channel over all active cells of the batch (Ioffe and Szegedy 2015).

    `out = (x − mean) / sqrt(var + eps) · weight + bias` with the mean and biased variance of the
    batch's active cells (https://arxiv.org/abs/1502.03167, algorithm 1); empty cells do not count.
    It is `torch.nn.BatchNorm1d` of the features, arguments included.

    In training, a batch of fewer than two cells has no variance and is normalised by the running
    statistics, which stay as they are; compiled code, which cannot choose by the number of cells,
    raises a RuntimeError instead. Without running statistics torch's own rules hold. For several
    processes see `SparseSyncBatchNorm`.

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 3.0]]]))
        >>> SparseBatchNorm(1)(x).feats.round(decimals=3).tolist()
        [[-1.0], [1.0]]
    """

    def forward(self, input: SparseTensor) -> SparseTensor:  # type: ignore[override]
        """Normalise each channel over all active cells of the batch.

        Args:
            input: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        _check_channels(self, input, self.num_features)
        if torch.compiler.is_compiling():
            return input.with_feats(self._compiled(input.feats))
        if self.training and self.track_running_stats and len(input.feats) < 2:
            stored = self.running_mean, self.running_var
            return input.with_feats(batch_norm_by(stored, self, input.feats))
        return input.with_feats(self._as_torch(input.feats))

    def _as_torch(self, feats: Tensor) -> Tensor:
        return wide_batch_norm(self, feats) if is_low(feats.dtype) else super().forward(feats)

    def _compiled(self, feats: Tensor) -> Tensor:
        # Behind a strided convolution the number of cells is known only as the code runs: nothing
        # may be chosen by it, as torch's own function does where it does not learn.
        mean, variance = self.running_mean, self.running_var
        if not self.training and mean is not None and variance is not None:
            out = (widened(feats) - mean) * (variance + self.eps).rsqrt()
            return _affine(out, self.weight, self.bias).to(feats.dtype)
        torch._check(
            feats.shape[0] >= 2,
            lambda: "a compiled SparseBatchNorm needs at least 2 cells in training",
        )
        return self._as_torch(feats)


class SparseSyncBatchNorm(nn.SyncBatchNorm):
    """Batch norm over the active cells of all processes, by `torch.nn.SyncBatchNorm`, on GPUs.

    The formula is that of `SparseBatchNorm`. torch's `convert_sync_batchnorm` makes layers of a
    `SparseBatchNorm` that take no sparse tensor; that of this class keeps it sparse, and converts
    dense layers as torch does.

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> network = nn.Sequential(SparseBatchNorm(4), nn.BatchNorm1d(4))
        >>> first, second = SparseSyncBatchNorm.convert_sync_batchnorm(network)
        >>> type(first).__name__, type(second).__name__
        ('SparseSyncBatchNorm', 'SyncBatchNorm')
    """

    def forward(self, input: SparseTensor) -> SparseTensor:  # type: ignore[override]
        """Normalise each channel over all active cells of all processes.

        Args:
            input: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        _check_channels(self, input, self.num_features)
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if is_low(input.feats.dtype) and not distributed:
            return input.with_feats(wide_batch_norm(self, input.feats))
        return input.with_feats(super().forward(input.feats))

    @classmethod
    def convert_sync_batchnorm(cls, module: nn.Module, process_group: Any = None) -> nn.Module:
        """Return a module whose batch norms, sparse and dense, share statistics among processes.

        Args:
            module: The module; one that is no batch norm is changed in place.
            process_group: The processes; None for all.

        Returns:
            The module, or what stands for it.
        """
        # torch's method calls this one for every child, so each layer passes here once.
        converted: nn.Module = super().convert_sync_batchnorm(module, process_group)  # type: ignore[no-untyped-call]
        if isinstance(module, SparseBatchNorm):
            converted.__class__ = cls
        return converted


class SparseInstanceNorm(nn.InstanceNorm1d):
    """Instance norm: each channel of each sample over its active cells (Ulyanov et al. 2016).

    `out = (x − mean) / sqrt(var + eps) · weight + bias` with the mean and biased variance of the
    sample's active cells (https://arxiv.org/abs/1607.08022, section 2); where all cells are active
    it is `torch.nn.InstanceNorm1d` to `3d`, running statistics included. A sample of one cell gets
    the bias, where torch raises an error; samples of fewer than two cells do not count in the
    running statistics. Arguments are torch's.

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 3.0]]]))
        >>> SparseInstanceNorm(1)(x).feats.round(decimals=3).tolist()
        [[-1.0], [1.0]]
    """

    def forward(self, input: SparseTensor) -> SparseTensor:  # type: ignore[override]
        """Normalise each channel of each sample.

        Args:
            input: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        _check_channels(self, input, self.num_features)
        feats, sample = widened(input.feats), input.coords[:, 0]
        if not self.training and self.track_running_stats:
            stored = self.running_mean, self.running_var
            return input.with_feats(batch_norm_by(stored, self, input.feats))
        mean, variance = _moments(feats.unsqueeze(2), sample, input.batch_size)
        if self.training and self.running_mean is not None:
            self._follow(mean.detach(), variance.detach(), sample)
        out = _standardised(feats.unsqueeze(2), mean, variance, sample, self.eps).squeeze(2)
        return input.with_feats(_affine(out, self.weight, self.bias).to(input.feats.dtype))

    def _follow(
        self, mean: Float[Tensor, "b c"], variance: Float[Tensor, "b c"], sample: Int[Tensor, " n"]
    ) -> None:
        """Move the running statistics towards the mean of those of the samples, as torch does."""
        cells = torch.bincount(sample, minlength=len(mean)).unsqueeze(1)
        # In the type of the statistics: a share or a step in float32 would cut those of float64.
        counts = (cells > 1).to(mean.dtype)
        share = counts / counts.sum().clamp(min=1)
        unbiased = variance * cells / (cells - 1).clamp(min=1)
        # Without a sample that counts the step is zero: nothing waits for the device to say so.
        step = counts.sum().clamp(max=1) * (self.momentum or 0.0)
        for running, now in ((self.running_mean, mean), (self.running_var, unbiased)):
            if running is not None:
                running += step * ((share * now).sum(0) - running)


class SparseGroupNorm(nn.GroupNorm):
    """Group norm: each group of channels of each sample over its active cells (Wu and He 2018).

    `out = (x − mean) / sqrt(var + eps) · weight + bias` with the mean and biased variance over the
    sample's active cells and the channels of the group (https://arxiv.org/abs/1803.08494, section
    3.1); where all cells are active it is `torch.nn.GroupNorm`. Arguments are torch's.

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 3.0]]]))
        >>> SparseGroupNorm(1, 1)(x).feats.round(decimals=3).tolist()
        [[-1.0], [1.0]]
    """

    def forward(self, input: SparseTensor) -> SparseTensor:  # type: ignore[override]
        """Normalise each group of channels of each sample.

        Args:
            input: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        _check_channels(self, input, self.num_channels)
        grouped, sample = (
            widened(input.feats).unflatten(1, (self.num_groups, -1)),
            input.coords[:, 0],
        )
        mean, variance = _moments(grouped, sample, input.batch_size)
        out = _standardised(grouped, mean, variance, sample, self.eps).flatten(1)
        return input.with_feats(_affine(out, self.weight, self.bias).to(input.feats.dtype))


class SparseLayerNorm(nn.LayerNorm):
    """Layer norm: each active cell over its channels (Ba et al. 2016).

    `out = (x − mean) / sqrt(var + eps) · weight + bias` with the mean and biased variance of the
    cell's channels (https://arxiv.org/abs/1607.06450, section 3). It is `torch.nn.LayerNorm` of the
    features, arguments included; no cell depends on another.

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0], [3.0, 0.0]]]))
        >>> SparseLayerNorm(2)(x).feats.round(decimals=3).tolist()
        [[-1.0, 1.0]]
    """

    def forward(self, input: SparseTensor) -> SparseTensor:  # type: ignore[override]
        """Normalise each active cell over its channels.

        Args:
            input: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        _check_channels(self, input, self.normalized_shape[-1])
        feats = input.feats
        if not is_low(feats.dtype):
            return input.with_feats(super().forward(feats))
        weight, bias = (
            each if each is None else widened(each) for each in (self.weight, self.bias)
        )
        shape = self.normalized_shape
        wide = nn.functional.layer_norm(widened(feats), shape, weight, bias, self.eps)
        return input.with_feats(wide.to(feats.dtype))


def _check_channels(layer: nn.Module, x: SparseTensor, channels: int) -> None:
    if x.num_channels != channels:
        raise InputError(f"{layer} needs feats of {channels} channels, but got {x.num_channels}")


def _moments(
    grouped: Float[Tensor, "n g k"], sample: Int[Tensor, " n"], batch_size: int
) -> tuple[Float[Tensor, "b g"], Float[Tensor, "b g"]]:
    """Return the mean and biased variance of each sample and group of channels."""
    mean = scatter_mean(grouped.mean(2), sample, batch_size)
    with torch.no_grad():  # of many large values of one sign the sum has lost digits: what is left
        left = grouped - mean.index_select(0, sample).unsqueeze(2)
        correction = scatter_mean(left.mean(2), sample, batch_size)
    mean = mean + correction
    # Squares of distances, not of values: the difference of two large sums would lose digits.
    distance = grouped - mean.index_select(0, sample).unsqueeze(2)
    return mean, scatter_mean(distance.square().mean(2), sample, batch_size)


def _standardised(
    grouped: Float[Tensor, "n g k"],
    mean: Float[Tensor, "b g"],
    variance: Float[Tensor, "b g"],
    sample: Int[Tensor, " n"],
    eps: float,
) -> Float[Tensor, "n g k"]:
    of_sample = mean, (variance + eps).rsqrt()
    mean, scale = (each.index_select(0, sample).unsqueeze(2) for each in of_sample)
    return (grouped - mean) * scale


def _affine(
    feats: Float[Tensor, "n c"],
    weight: Float[Tensor, " c"] | None,
    bias: Float[Tensor, " c"] | None,
) -> Float[Tensor, "n c"]:
    feats = feats if weight is None else feats * weight
    return feats if bias is None else feats + bias
