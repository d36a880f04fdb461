"""One convolution layer of each kind over two axes, with other settings on each axis."""

import torch

from recsparse.layers import (
    SparseConv2d,
    SparseConvTranspose2d,
    SparseInverseConv2d,
    SubmanifoldConv2d,
)
from recsparse.sparse.tensor import sparse_tensor
from tests.oracles import Window

WINDOWS = {
    "submanifold": Window((3, 5), (1, 1), (2, 2), (2, 1)),
    "strided": Window((2, 3), (2, 1), (1, 0), (1, 2)),
}


def kinds_of_layers(c_in=2, c_out=4, groups=1):
    """Return one layer of each kind over two axes, as functions of a tensor."""
    torch.manual_seed(0)
    settings = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": groups}
    submanifold = SubmanifoldConv2d(c_in, c_out, (3, 5), dilation=(2, 1), groups=groups)
    strided = SparseConv2d(c_in, c_out, (2, 3), **settings)
    transposed = SparseConvTranspose2d(c_in, c_out, (3, 2), output_padding=(1, 0), **settings)
    coarse = SparseConv2d(c_in, c_in, (2, 3), **settings)
    inverse = SparseInverseConv2d(c_in, c_out, (2, 3), **settings)
    for layer in (submanifold, strided, transposed, coarse, inverse):
        layer.double()
    return {
        "submanifold": (submanifold, submanifold),
        "strided": (strided, strided),
        "transposed": (transposed, transposed),
        "inverse": (inverse, lambda x: inverse(coarse(x), x)),
    }


KINDS = list(kinds_of_layers())


def moved(x, offset, shape):
    """Return the cells at other places, in a grid of another shape."""
    return sparse_tensor(x.coords + torch.tensor([0, *offset]), x.feats, shape, x.batch_size)


def moved_by(kind, offset):
    """Return how far a result moves when its input moves by whole strides of (2, 1)."""
    rows, columns = offset
    return {
        "submanifold": (rows, columns),
        "inverse": (rows, columns),
        "strided": (rows // 2, columns),
        "transposed": (2 * rows, columns),
    }[kind]
