"""Layers made for a number of axes that is a setting, as networks of any number of axes need."""

from collections.abc import Mapping
from typing import Any, SupportsIndex

from torch import nn

from recsparse.errors import InputError
from recsparse.layers.conv import (
    SubmanifoldConv1d,
    SubmanifoldConv2d,
    SubmanifoldConv3d,
    SubmanifoldConv4d,
)
from recsparse.layers.strided import SparseConv1d, SparseConv2d, SparseConv3d, SparseConv4d
from recsparse.layers.transposed import (
    SparseInverseConv1d,
    SparseInverseConv2d,
    SparseInverseConv3d,
    SparseInverseConv4d,
)
from recsparse.layers.window_pool import (
    SparseMaxPool1d,
    SparseMaxPool2d,
    SparseMaxPool3d,
    SparseMaxPool4d,
)
from recsparse.sparse.kernel import whole_number

_SUBMANIFOLD = {
    1: SubmanifoldConv1d,
    2: SubmanifoldConv2d,
    3: SubmanifoldConv3d,
    4: SubmanifoldConv4d,
}
_STRIDED = {1: SparseConv1d, 2: SparseConv2d, 3: SparseConv3d, 4: SparseConv4d}
_INVERSE = {
    1: SparseInverseConv1d,
    2: SparseInverseConv2d,
    3: SparseInverseConv3d,
    4: SparseInverseConv4d,
}
_MAX_POOL = {1: SparseMaxPool1d, 2: SparseMaxPool2d, 3: SparseMaxPool3d, 4: SparseMaxPool4d}


def submanifold_conv(num_axes: SupportsIndex, *arguments: Any, **options: Any) -> nn.Module:
    """Return a `SubmanifoldConv1d`, … or `SubmanifoldConv4d`.

    Args:
        num_axes: From 1 to 4.
        *arguments: Of the layer.
        **options: Of the layer.

    Returns:
        The layer.
    """
    return _chosen(_SUBMANIFOLD, num_axes)(*arguments, **options)


def strided_conv(num_axes: SupportsIndex, *arguments: Any, **options: Any) -> nn.Module:
    """Return a `SparseConv1d`, … or `SparseConv4d`.

    Args:
        num_axes: From 1 to 4.
        *arguments: Of the layer.
        **options: Of the layer.

    Returns:
        The layer.
    """
    return _chosen(_STRIDED, num_axes)(*arguments, **options)


def inverse_conv(num_axes: SupportsIndex, *arguments: Any, **options: Any) -> nn.Module:
    """Return a `SparseInverseConv1d`, … or `SparseInverseConv4d`.

    Args:
        num_axes: From 1 to 4.
        *arguments: Of the layer.
        **options: Of the layer.

    Returns:
        The layer.
    """
    return _chosen(_INVERSE, num_axes)(*arguments, **options)


def max_pool(num_axes: SupportsIndex, *arguments: Any, **options: Any) -> nn.Module:
    """Return a `SparseMaxPool1d`, … or `SparseMaxPool4d`.

    Args:
        num_axes: From 1 to 4.
        *arguments: Of the layer.
        **options: Of the layer.

    Returns:
        The layer.
    """
    return _chosen(_MAX_POOL, num_axes)(*arguments, **options)


def _chosen(layers: Mapping[int, type[nn.Module]], num_axes: SupportsIndex) -> type[nn.Module]:
    num_axes = whole_number("num_axes", num_axes)
    if num_axes not in layers:
        raise InputError(f"num_axes must be from 1 to {max(layers)}, but got {num_axes}")
    return layers[num_axes]
