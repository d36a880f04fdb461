import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_matrix, random_array

from recsparse.errors import InputError
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.tensor import SparseTensor
from tests.grids import random_tensor, sparse_tensors

axes = st.integers(1, 3)


def assert_same(found, expected):
    assert found.coords.tolist() == expected.coords.tolist()
    assert found.coords.dtype == torch.int64
    assert torch.equal(found.feats, expected.feats)
    assert found.feats.dtype == expected.feats.dtype
    assert found.spatial_shape == expected.spatial_shape
    assert found.batch_size == expected.batch_size


def dense_one_by_one(x):
    """Fill a numpy array (batch, channels, *spatial_shape) cell by cell."""
    dense = np.zeros((x.batch_size, x.num_channels, *x.spatial_shape))
    for (sample, *place), row in zip(x.coords.tolist(), x.feats.tolist(), strict=True):
        for channel, value in enumerate(row):
            dense[(sample, channel, *place)] = value
    return dense


@given(st.data(), axes)
def test_the_dense_tensor_holds_each_cell_at_its_place(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, max_size=3))()
    assert x.to_dense().shape == (x.batch_size, x.num_channels, *x.spatial_shape)
    np.testing.assert_array_equal(x.to_dense().numpy(), dense_one_by_one(x))


@given(st.data(), axes, st.integers(1, 2))
def test_a_dense_tensor_comes_back_as_it_was(data, num_axes, channels):
    x = data.draw(sparse_tensors(num_axes, channels))()
    assert_same(SparseTensor.from_dense(x.to_dense()), x)


def test_a_dense_cell_is_active_if_any_channel_is_not_zero():
    dense = torch.tensor([[[0.0, 0.0, 1.0, torch.nan], [0.0, 2.0, 0.0, 0.0]]])
    x = SparseTensor.from_dense(dense)
    assert x.coords.tolist() == [[0, 1], [0, 2], [0, 3]]
    assert x.feats[:2].tolist() == [[0.0, 2.0], [1.0, 0.0]]


def test_gradients_flow_into_and_out_of_the_dense_tensor():
    dense = random_tensor((3, 2), 2, 2).to_dense()

    def there_and_back(values):
        return SparseTensor.from_dense(values).to_dense()

    values = dense.clone().requires_grad_()
    there_and_back(values).square().sum().backward()
    torch.testing.assert_close(values.grad, 2 * dense)


def test_a_dense_tensor_without_spatial_axes_is_refused():
    with pytest.raises(
        InputError, match=r"needs \(batch, channels, \*spatial_shape\), .* \(2, 3\)"
    ):
        SparseTensor.from_dense(torch.ones(2, 3))


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
    dense = torch.ones(1, 2, 1)
    assert SparseTensor.from_torch(dense.to_sparse().to_dense().to_sparse(2)).feats.shape == (2, 1)


@given(st.data())
def test_a_scipy_matrix_comes_back_as_it_was(data):
    x = data.draw(sparse_tensors(2, channels=1, batch_size=1))()
    matrix = x.to_scipy()
    assert isinstance(matrix, csr_matrix)
    np.testing.assert_array_equal(matrix.toarray(), dense_one_by_one(x)[0, 0])
    assert_same(SparseTensor.from_scipy(matrix), x)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 99), st.sampled_from(["csr", "csc"]))
def test_any_scipy_format_is_read(rows, columns, seed, layout):
    matrix = random_array((rows, columns), density=0.5, rng=seed, format=layout)
    x = SparseTensor.from_scipy(matrix)
    assert x.spatial_shape == (rows, columns)
    np.testing.assert_array_equal(dense_one_by_one(x)[0, 0], matrix.toarray())


@pytest.mark.parametrize("layout", [csr_matrix, coo_array])
def test_scipy_duplicates_are_summed_zeros_stay_cells_and_the_matrix_is_unchanged(layout):
    values, columns = np.array([0.0, 1, 2]), np.array([2, 0, 0])
    where = (columns, [0, 1, 3]) if layout is csr_matrix else (([0, 1, 1], columns),)
    matrix = layout((values, *where), shape=(2, 3))
    x = SparseTensor.from_scipy(matrix)
    assert x.coords.tolist() == [[0, 0, 2], [0, 1, 0]]
    assert x.feats.tolist() == [[0.0], [1.0 + 2.0]]
    x.feats.mul_(10)
    assert matrix.nnz == 3
    assert matrix.data.tolist() == [0.0, 1.0, 2.0]


def test_integers_become_the_default_float():
    matrix = np.array([[0, 3], [1, 0]])
    cells = SparseTensor.from_scipy(csr_matrix(matrix))
    dense = torch.from_numpy(matrix)[None, None]
    assert cells.feats.dtype == torch.float32
    assert_same(SparseTensor.from_dense(dense), cells)
    assert_same(SparseTensor.from_torch(dense.movedim(1, -1).to_sparse(3)), cells)
    assert_same(SparseTensor.from_dense(dense > 0), cells.with_feats(torch.ones(2, 1)))


@pytest.mark.parametrize(
    ("batch_size", "shape", "channels"), [(2, (2, 2), 1), (1, (2,), 1), (1, (2, 2), 3)]
)
def test_what_is_no_matrix_cannot_become_a_scipy_matrix(batch_size, shape, channels):
    x = random_tensor(shape, batch_size, channels)
    found = f"{batch_size}, {len(shape)} and {channels}"
    with pytest.raises(InputError, match=f"one sample, two axes and one channel, but got {found}"):
        x.to_scipy()


def test_ratings_survive_the_way_through_every_form_and_convolve_as_dense_ones(real_data):
    path = real_data / "movielens-100k" / "interactions.parquet"
    if not path.is_file():
        pytest.skip(f"no {path}")
    log = pq.read_table(path, columns=["user_id", "item_id", "rating"]).to_pandas()
    user, item = (np.unique(log[name], return_inverse=True)[1] for name in ("user_id", "item_id"))
    ratings = csr_matrix((log["rating"].to_numpy(np.float32), (user, item)))
    x = SparseTensor.from_scipy(ratings)
    assert len(x.feats) == len(log)
    assert (x.to_scipy() != ratings).nnz == 0
    assert_same(SparseTensor.from_torch(x.to_torch()), x)
    assert_same(SparseTensor.from_dense(x.to_dense()), x)
    weight = torch.linspace(-1, 1, 2 * 9).reshape(2, 1, 3, 3)
    convolved = sparse_conv(x.feats, weight, None, x.grid.submanifold_map((3, 3), (1, 1)))
    dense = torch.nn.functional.conv2d(x.to_dense(), weight, padding=1)
    torch.testing.assert_close(convolved, dense[0, :, x.coords[:, 1], x.coords[:, 2]].T)
