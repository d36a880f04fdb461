"""Activations on the active cells."""

from torch import nn

from recsparse.sparse.tensor import SparseTensor


class SparseReLU(nn.Module):
    """`max(x, 0)` on the active cells; a cell stays active where the result is zero.

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0]]]))
        >>> SparseReLU()(x).feats.tolist()
        [[0.0], [2.0]]
    """

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply the function.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        return x.with_feats(nn.functional.relu(x.feats))


class SparseGELU(nn.Module):
    """The Gaussian error linear unit on the active cells (Hendrycks and Gimpel 2016).

    `x P(X ≤ x)` for a standard normal X (https://arxiv.org/abs/1606.08415, section 2).

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0]]]))
        >>> f"{SparseGELU()(x).feats.item():.3f}"
        '0.841'
    """

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply the function.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        return x.with_feats(nn.functional.gelu(x.feats))
