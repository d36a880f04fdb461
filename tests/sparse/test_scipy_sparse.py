import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_matrix, random_array

from recsparse.errors import InputError
from recsparse.sparse.tensor import SparseTensor
from tests.random_grids import random_tensor, sparse_tensors
from tests.same_cells import assert_same, dense_one_by_one


@pytest.mark.parametrize(
    "kind", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "longdouble"]
)
def test_numbers_of_every_type_of_scipy_are_read(kind):
    values = np.array([[0, 1], [1, 0]], kind)
    x = SparseTensor.from_scipy(csr_matrix(values))
    assert x.feats.tolist() == [[1.0], [1.0]]
    assert x.feats.dtype == (torch.float64 if kind in ("f8", "longdouble") else torch.float32)


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


@pytest.mark.parametrize(
    ("batch_size", "shape", "channels"), [(2, (2, 2), 1), (1, (2,), 1), (1, (2, 2), 3)]
)
def test_what_is_no_matrix_cannot_become_a_scipy_matrix(batch_size, shape, channels):
    x = random_tensor(shape, batch_size, channels)
    found = f"{batch_size}, {len(shape)} and {channels}"
    with pytest.raises(InputError, match=f"one sample, two axes and one channel, but got {found}"):
        x.to_scipy()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_becomes_a_scipy_matrix_of_float32(dtype):
    x = random_tensor((3, 4), dtype=dtype)
    matrix = x.to_scipy()
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix.toarray(), x.to_dense()[0, 0].float())


def test_the_cells_are_where_the_matrix_is_whatever_the_default_device():
    with torch.device("meta"):
        x = SparseTensor.from_scipy(csr_matrix(np.eye(3, dtype=np.float32)))
    assert x.coords.tolist() == [[0, 0, 0], [0, 1, 1], [0, 2, 2]]
