"""SparseSequential: layers applied in order."""

from typing import Any

from torch import nn

from recsparse.layers.plain import apply_layer


class SparseSequential(nn.Sequential):
    """What the last of some layers returns, applied in order; without layers, the input.

    `torch.nn.Sequential` for layers that take and return sparse tensors. torch's own layers of rows
    (activations, norms, `Linear`, `Dropout`) act on the features of the active cells, as does any
    module in `OnFeats`; behind a pooling that returns a dense tensor all layers take that one.

    Shapes:
        Input (n, c), output that of the last layer.

    Raises:
        InputTypeError: If one of torch's layers is of dense axes, as `torch.nn.Conv2d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0]]]))
        >>> SparseSequential(nn.ReLU(), nn.Linear(1, 8), nn.BatchNorm1d(8))(x)
        SparseTensor(Grid(2 cells, spatial_shape=(3,), batch_size=1), 8 channels)
    """

    def forward(self, input: Any) -> Any:
        """Apply the layers in order.

        Args:
            input: Features (n, c).

        Returns:
            What the last layer returns.
        """
        for layer in self:
            input = apply_layer(layer, input)
        return input
