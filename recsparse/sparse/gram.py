"""Weighted Gram matrices of the cells of each segment, the heart of ridge pooling and of iALS."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def segment_gram(
    feats: Float[Tensor, "n c"], weights: Float[Tensor, " n"], segment_ptr: Int[Tensor, " rows_1"]
) -> Float[Tensor, "rows c c"]:
    """Sum the weighted outer products of each segment: `G_r = sum_{i in r} w_i h_i h_i^T`.

    Segments of similar length share one batched matrix product; within such a group the shorter
    ones are padded with zero rows, at most to twice their length. Differentiable in `feats` and
    `weights`.

    Args:
        feats: One row `h_i` per cell, sorted by segment.
        weights: The weight `w_i` of each cell.
        segment_ptr: Segment r owns the cells `segment_ptr[r]` to `segment_ptr[r + 1] - 1`.

    Returns:
        One symmetric matrix a segment; zero for an empty one.

    Example:
        >>> feats = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> segment_gram(feats, torch.ones(2), torch.tensor([0, 2, 2])).tolist()
        [[[2.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """
    num_rows, channels = len(segment_ptr) - 1, feats.shape[1]
    lengths = segment_ptr.diff()
    grams = feats.new_zeros(num_rows, channels, channels)
    # One zero row behind the cells is what every padding position reads.
    padded_feats = torch.cat([feats, feats.new_zeros(1, channels)])
    padded_weights = torch.cat([weights, weights.new_zeros(1)])
    for rows in _rows_by_length(lengths):
        cells = _padded_cells(segment_ptr[rows], lengths[rows], padding=len(feats))
        block = padded_feats[cells]
        # Autocast would round the products, and the result would be of another type.
        with torch.autocast(feats.device.type, enabled=False):
            gram = block.transpose(1, 2) @ (padded_weights[cells].unsqueeze(-1) * block)
        grams.index_copy_(0, rows, gram)
    return grams


def _rows_by_length(lengths: Int[Tensor, " rows"]) -> list[Int[Tensor, " some"]]:
    """Group the non-empty segments by the power of two above their length."""
    bucket = torch.where(lengths > 0, lengths.clamp(min=1).double().log2().ceil(), -1.0)
    return [
        torch.nonzero(bucket == value).flatten() for value in bucket.unique().tolist() if value >= 0
    ]


def _padded_cells(
    start: Int[Tensor, " some"], length: Int[Tensor, " some"], padding: int
) -> Int[Tensor, "some longest"]:
    offset = torch.arange(int(length.max()), device=start.device)
    cells = start.unsqueeze(1) + offset
    return cells.masked_fill(offset >= length.unsqueeze(1), padding)
