"""Layers of dense tensors among sparse ones: they act on the features of the active cells."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules import activation, batchnorm, container, dropout, linear, normalization

from recsparse.errors import InputTypeError
from recsparse.layers.dropout import Dropout
from recsparse.sparse.tensor import SparseTensor

# What torch has for rows of features; it has other files for images, sequences and their windows.
_OF_ROWS = {module.__name__ for module in (activation, batchnorm, dropout, linear, normalization)}
_TORCH, _OURS = "torch.nn.modules.", "recsparse."


class OnFeats(nn.Module):
    """A module of dense tensors that acts on the features, one row per cell.

    torch's own activations, norms, linear and dropout layers need no such wrapper in a
    `SparseSequential`; modules of others do, since they may take sparse tensors.

    Shapes:
        Input (n, c), output (n, d) on the same grid.

    Args:
        module: Takes and returns one row per cell.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0]]]))
        >>> OnFeats(nn.Softplus(threshold=1))(x).feats[1].item()
        2.0
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply the module to the features.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, d) on the same grid.
        """
        return x.with_feats(self.module(x.feats))


def apply_layer(layer: nn.Module, x: Any) -> Any:
    """Apply a layer to a sparse tensor, or to its features where it is one of torch's for rows.

    A `torch.nn.Sequential` is applied layer by layer, so that it may hold both kinds.

    Args:
        layer: Any module.
        x: A sparse tensor; or what a pooling made of it, to which any layer is applied as it is.

    Returns:
        What the layer returns, or a sparse tensor with the features that it returns.

    Raises:
        InputTypeError: If torch's layer is one for dense axes, as of a convolution.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0]]]))
        >>> apply_layer(nn.ReLU(), x).feats.tolist()
        [[0.0], [2.0]]
    """
    if not isinstance(x, SparseTensor):
        return layer(x)
    if type(layer).forward is nn.Sequential.forward:
        for child in layer.children():
            x = apply_layer(child, x)
        return x
    home = _home(layer)
    if not home.startswith(_TORCH) or home == container.__name__:
        return layer(x) if torch.compiler.is_compiling() else _with_note(layer, x)
    name = type(layer).__name__
    if home in _OF_ROWS and not name.endswith(("2d", "3d", "MultiheadAttention")):
        return x.with_feats(layer(x.feats))
    raise InputTypeError(
        "a SparseSequential takes layers of sparse tensors, and of torch's those of rows, which "
        f"act on the features, but got {layer}, a layer of dense axes; take the Sparse{name} or "
        "the like of recsparse.layers, or put it behind what makes a dense tensor"
    )


def _with_note(layer: nn.Module, x: SparseTensor) -> Any:
    try:
        return layer(x)
    except (AttributeError, TypeError) as error:
        name = type(layer).__name__
        if not _home(layer).startswith(_OURS):
            error.add_note(
                f"{name} was given a sparse tensor; if it takes features, one row per cell, wrap "
                f"it in recsparse.layers.OnFeats({name}(…))"
            )
        raise


def _home(layer: nn.Module) -> str:
    """Return the module that says what a layer takes: its class's, or that of the nearest base."""
    if isinstance(layer, Dropout):  # ours, but of dense tensors
        return dropout.__name__
    for kind in type(layer).__mro__:
        if kind is nn.Module:
            break
        if kind.__module__.startswith((_TORCH, _OURS)):
            return kind.__module__
    return ""
