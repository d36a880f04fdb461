"""AttentionPool: a learned weighted mean of the active cells of a line or sample."""

from typing import SupportsIndex

from jaxtyping import Float, Int
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.layers.pool import LinePool
from recsparse.sparse.kernel import OneOrMany, whole_number
from recsparse.sparse.precision import in_wide_type, widened
from recsparse.sparse.scatter import scatter_softmax, scatter_sum
from recsparse.sparse.tensor import SparseTensor


class AttentionPool(LinePool):
    """The mean of the active cells of each line, weighted by learned scores.

    `z = sum_i a_i h_i` with `a = softmax(s)` over the line's active cells and the score
    `s_i = w h_i`, or `s_i = w tanh(V h_i)` with hidden channels (Ilse et al. 2018,
    https://arxiv.org/abs/1802.04712, section 2.4, equations 7 and 8).

    Shapes:
        Input (n, channels), output (batch, *the other axes, channels), zero where a line has no
        active cell; or, if sparse, (lines, channels) on a grid of the other axes.

    Args:
        channels: Channels of the input.
        axis: The axis that goes away, from 0, or several; None pools each whole sample.
        hidden: Channels between the features and their score; None for a linear score.
        sparse: Return the lines with active cells alone, as a sparse tensor on the other axes.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[0.0, 3.0, 3.0]], [[0.0, 0.0, 0.0]]]))
        >>> AttentionPool(1)(x).round(decimals=3).tolist()
        [[3.0], [0.0]]
    """

    def __init__(
        self,
        channels: SupportsIndex,
        axis: OneOrMany | None = None,
        hidden: SupportsIndex | None = None,
        sparse: bool = False,
    ) -> None:
        super().__init__(axis, sparse)
        self.channels = channels = whole_number("channels", channels)
        # A number added to all scores would change no weight: the last product has no bias.
        self.score: nn.Module = nn.Linear(channels, 1, bias=False)
        if hidden is not None:
            hidden = whole_number("hidden", hidden)
            self.score = nn.Sequential(
                nn.Linear(channels, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False)
            )

    def forward(self, x: SparseTensor) -> Float[Tensor, "b *kept c"] | SparseTensor:
        """Pool the active cells that agree in the sample and in the axes that stay.

        Args:
            x: Features (n, channels).

        Returns:
            Dense, (batch, *the other axes, c), zero where a line has no active cell; or the lines
            that have one, as a sparse tensor.

        Raises:
            InputError: If the input has other channels.
        """
        if x.num_channels != self.channels:
            raise InputError(
                f"AttentionPool needs feats of {self.channels} channels, but got {x.num_channels}"
            )
        return super().forward(x)

    def pool(
        self, feats: Float[Tensor, "n c"], line: Int[Tensor, " n"], num_lines: int
    ) -> Float[Tensor, "lines c"]:
        """Pool the cells of each line.

        Args:
            feats: One row per cell.
            line: The line of each cell.
            num_lines: Number of lines.

        Returns:
            One row per line; zero for one without cells.
        """
        share = scatter_softmax(in_wide_type(self.score, feats), line, num_lines)
        return scatter_sum(share * widened(feats), line, num_lines).to(feats.dtype)
