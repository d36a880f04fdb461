"""Torch's batch norm with the statistics of low-precision features in float32."""

from jaxtyping import Float
from torch import Tensor, nn

from recsparse.sparse.precision import widened

Layer = nn.BatchNorm1d | nn.SyncBatchNorm
Statistics = tuple[Tensor | None, Tensor | None]


def wide_batch_norm(layer: Layer, feats: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
    """Return what torch's layer makes of features, with all that it computes in `wide_type`.

    Args:
        layer: Of any type; its running statistics are rounded to their own.
        feats: One row per cell.

    Returns:
        Features of the type given.

    Example:
        >>> import torch
        >>> feats = torch.tensor([[1.0], [3.0]], dtype=torch.float16)
        >>> wide_batch_norm(nn.BatchNorm1d(1).half(), feats).flatten().tolist()
        [-1.0, 1.0]
    """
    learns = layer.training and layer.track_running_stats
    factor = layer.momentum or 0.0
    if learns and layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
        if layer.momentum is None:  # the mean of all batches so far
            factor = 1 / float(layer.num_batches_tracked)
    stored = (layer.running_mean, layer.running_var)
    if layer.training and not learns:
        stored = (None, None)
    return batch_norm_by(stored, layer, feats, layer.training or stored[0] is None, factor)


def batch_norm_by(
    stored: Statistics,
    layer: Layer | nn.InstanceNorm1d,
    feats: Float[Tensor, "n c"],
    by_batch: bool = False,
    factor: float = 0.0,
) -> Float[Tensor, "n c"]:
    """Normalise features by stored statistics, or by their own, towards which the stored ones move.

    Args:
        stored: Running mean and variance.
        layer: Weight, bias and `eps`.
        feats: One row per cell.
        by_batch: Take the statistics of the features.
        factor: How far the stored ones then move.

    Returns:
        Features of the type given.
    """
    mean, variance, weight, bias = (
        each if each is None else widened(each) for each in (*stored, layer.weight, layer.bias)
    )
    wide, settings = widened(feats), (weight, bias, by_batch, factor, layer.eps)
    if not by_batch:
        return nn.functional.batch_norm(wide, mean, variance, *settings).to(feats.dtype)
    # About zero torch's sums of many large values of one sign lose no digits.
    shift = wide.detach().mean(0)
    shifted = None if mean is None else mean - shift
    out = nn.functional.batch_norm(wide - shift, shifted, variance, *settings)
    if stored[0] is not None and shifted is not None:
        stored[0].copy_(shifted + shift)
    if stored[1] is not None and variance is not None and variance is not stored[1]:
        stored[1].copy_(variance)
    return out.to(feats.dtype)
