import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.tensor import SparseTensor
from tests.random_grids import random_tensor, sparse_tensors
from tests.same_cells import assert_same, dense_one_by_one

axes = st.integers(1, 3)


@given(st.data(), axes)
def test_a_torch_tensor_comes_back_as_it_was(data, num_axes):
    x = data.draw(sparse_tensors(num_axes))()
    coo = x.to_torch()
    assert coo.shape == (x.batch_size, *x.spatial_shape, x.num_channels)
    np.testing.assert_array_equal(coo.to_dense().movedim(-1, 1).numpy(), dense_one_by_one(x))
    assert_same(SparseTensor.from_torch(coo), x)


def test_repeated_cells_of_a_torch_tensor_are_summed():
    indices = torch.tensor([[0, 0, 0], [1, 0, 1]])
    coo = torch.sparse_coo_tensor(
        indices, torch.tensor([[1.0], [5.0], [2.0]]), (1, 2, 1), check_invariants=True
    )
    x = SparseTensor.from_torch(coo)
    assert x.coords.tolist() == [[0, 0], [0, 1]]
    assert x.feats.tolist() == [[5.0], [1.0 + 2.0]]


def test_gradients_flow_through_a_torch_tensor():
    x = random_tensor((3, 2), channels=2)
    feats = x.feats.clone().requires_grad_()
    SparseTensor.from_torch(x.with_feats(feats).to_torch()).feats.square().sum().backward()
    torch.testing.assert_close(feats.grad, 2 * x.feats)


@pytest.mark.parametrize("layout", ["csr", "csc", "bsr", "bsc"])
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("channels", [False, True])
def test_compressed_layouts_may_have_samples_and_channels(layout, batch, channels):
    # torch takes batches with as many entries in each sample alone.
    dense = torch.tensor([[1.0, 0, 2, 0], [0, 0, 0, 0], [0, 3, 0, 0], [4, 5, 0, 0]])
    dense = torch.stack([dense, 2 * dense.flip(0)]) if batch else dense
    dense = torch.stack([dense, -dense, 3 * dense], -1) if channels else dense
    block = ((2, 2),) if layout.startswith("bs") else ()
    dense.requires_grad_()
    turned = getattr(dense, f"to_sparse_{layout}")(*block, dense_dim=1 if channels else 0)
    x = SparseTensor.from_torch(turned)
    expected = dense if channels else dense.unsqueeze(-1)
    expected = expected if batch else expected.unsqueeze(0)
    assert torch.equal(x.to_dense(), expected.movedim(-1, 1))
    assert torch.equal(x.grid.keys, x.grid.keys.unique())
    x.feats.square().sum().backward()
    torch.testing.assert_close(dense.grad, 2 * dense.detach())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_types_of_a_matrix_are_kept_and_sums_of_low_precision_taken_in_float32(dtype):
    entries = torch.zeros(2, 1000, dtype=torch.int64)
    coo = torch.sparse_coo_tensor(
        entries, torch.ones(1000, dtype=dtype), (1, 1), check_invariants=True
    )
    x = SparseTensor.from_torch(coo)
    assert x.feats.dtype == (dtype if dtype.is_floating_point else torch.float32)
    assert x.feats.item() == 1000


@pytest.mark.parametrize("pointers", [[0, 2, 1], [0, 1, 5], [1, 1, 2]])
def test_pointers_that_do_not_rise_to_the_number_of_values_are_refused(pointers):
    csr = torch.sparse_csr_tensor(
        torch.tensor(pointers), torch.tensor([0, 1]), torch.ones(2), (2, 2), check_invariants=False
    )
    with pytest.raises(InputError, match="pointers of a compressed tensor must rise from 0 to"):
        SparseTensor.from_torch(csr)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(1, 2, 1),
        torch.ones(1, 2, 1).to_sparse(),
        torch.ones(1, 2, 1, 1).to_sparse(2),
        torch.ones(2, 1).to_sparse(1),
    ],
    ids=["dense", "no dense dimension", "two dense dimensions", "no axis"],
)
def test_a_torch_tensor_of_another_kind_is_refused(tensor):
    shape = re.escape(str(tuple(tensor.shape)))
    with pytest.raises(InputError, match=rf"one dense dimension, .* of shape {shape}; mend it by"):
        SparseTensor.from_torch(tensor)


def test_the_cure_that_the_message_names_works():
    x = torch.ones(1, 2, 1).to_sparse()
    assert SparseTensor.from_torch(x.to_dense().to_sparse(x.ndim - 1)).feats.shape == (2, 1)
    x = torch.ones(2, 1).to_sparse(1)
    assert SparseTensor.from_torch(x.to_dense().to_sparse()).spatial_shape == (2, 1)
