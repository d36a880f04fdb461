import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import coo_array, csr_matrix

from recsparse.errors import InputError, InputTypeError
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors
from tests.same_cells import assert_same, dense_one_by_one

axes = st.integers(1, 3)


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


# Entries of a matrix of 4 rows and 5 columns, as (row, column, value).
SHAPE = (4, 5)
ORDERS = {
    "sorted": [(0, 1, 2.0), (0, 3, 1.0), (2, 0, 4.0), (3, 4, 5.0)],
    "columns out of order": [(0, 2, 1.0), (0, 0, 5.0), (0, 1, 7.0), (2, 4, 1.0), (2, 3, 2.0)],
    "repeated": [(1, 3, 1.0), (0, 2, 3.0), (1, 3, 10.0), (1, 0, 4.0), (1, 3, 100.0)],
    "one": [(3, 0, 6.0)],
    "none": [],
}


def by_hand(entries):
    dense = torch.zeros(SHAPE)
    for row, column, value in entries:
        dense[row, column] += value
    return dense


def parts(entries, index_type=np.int64, value_type=np.float32):
    rows, columns, values = (list(part) for part in zip(*entries, strict=True)) if entries else (
        [], [], []
    )  # fmt: skip
    return (
        np.array(rows, index_type), np.array(columns, index_type), np.array(values, value_type)
    )  # fmt: skip


def compressed(entries, index_type=np.int64):
    """Return pointers, columns and values in which the entries of a row keep their order."""
    rows, columns, values = parts(sorted(entries, key=lambda entry: entry[0]), index_type)
    ptr = np.concatenate([[0], np.bincount(rows, minlength=SHAPE[0]).cumsum()]).astype(index_type)
    return ptr, columns, values


def torch_csr(entries, index_type=np.int64):
    return torch.sparse_csr_tensor(
        *map(torch.from_numpy, compressed(entries, index_type)), SHAPE, check_invariants=False
    )


def torch_csc(entries):
    rows, columns, values = parts(sorted(entries, key=lambda entry: entry[1]))
    ptr = np.concatenate([[0], np.bincount(columns, minlength=SHAPE[1]).cumsum()])
    arrays = map(torch.from_numpy, (ptr, rows, values))
    return torch.sparse_csc_tensor(*arrays, SHAPE, check_invariants=False)


def torch_coo(entries):
    rows, columns, values = map(torch.from_numpy, parts(entries))
    places = torch.stack([rows, columns])
    return torch.sparse_coo_tensor(places, values, SHAPE, check_invariants=False)


def edge_index(entries):
    rows, columns, values = map(torch.from_numpy, parts(entries))
    coords = torch.stack([torch.zeros_like(rows), rows, columns]).T  # as PyTorch Geometric has them
    return sparse_tensor(coords, values[:, None], SHAPE, 1, on_duplicates="sum")


def cells_of_type(index_type):
    def read(entries):
        rows, columns, values = map(torch.from_numpy, parts(entries))
        coords = torch.stack([torch.zeros_like(rows), rows, columns], dim=1).to(index_type)
        return sparse_tensor(coords, values[:, None], SHAPE, 1, on_duplicates="sum")

    return read


def scipy_coo(entries, index_type=np.int64, value_type=np.float32):
    rows, columns, values = parts(entries, index_type, value_type)
    return sparse.coo_array((values, (rows, columns)), shape=SHAPE)


def scipy_csr(entries, index_type=np.int64):
    ptr, columns, values = compressed(entries, index_type)
    return sparse.csr_array((values, columns, ptr), shape=SHAPE)


def arrow_coo(entries):
    if not entries:  # Arrow takes none
        return scipy_coo(entries)
    return pa.SparseCOOTensor.from_scipy(sparse.coo_matrix(scipy_coo(entries))).to_scipy()


WAYS_IN = {
    "sparse_tensor, int64": cells_of_type(torch.int64),
    "sparse_tensor, int32": cells_of_type(torch.int32),
    "sparse_tensor, int16": cells_of_type(torch.int16),
    "sparse_tensor, int8": cells_of_type(torch.int8),
    "edge_index": edge_index,
    "torch COO": lambda entries: SparseTensor.from_torch(torch_coo(entries)),
    "torch hybrid COO": lambda entries: SparseTensor.from_torch(
        torch.sparse_coo_tensor(
            torch.nn.functional.pad(torch_coo(entries)._indices(), (0, 0, 1, 0)),
            torch_coo(entries)._values()[:, None],
            (1, *SHAPE, 1),
            check_invariants=False,
        )
    ),
    "torch CSR": lambda entries: SparseTensor.from_torch(torch_csr(entries)),
    "torch CSR, int32": lambda entries: SparseTensor.from_torch(torch_csr(entries, np.int32)),
    "torch CSC": lambda entries: SparseTensor.from_torch(torch_csc(entries)),
    "COO of torch's CSR": lambda entries: SparseTensor.from_torch(
        torch_csr(entries).to_sparse_coo()
    ),
    "hybrid COO of torch's CSR": lambda entries: SparseTensor.from_torch(
        hybrid(torch_csr(entries).to_sparse_coo())
    ),
    "SciPy COO": lambda entries: SparseTensor.from_scipy(scipy_coo(entries)),
    "SciPy COO, int32": lambda entries: SparseTensor.from_scipy(scipy_coo(entries, np.int32)),
    "SciPy CSR array": lambda entries: SparseTensor.from_scipy(scipy_csr(entries)),
    "SciPy CSR matrix": lambda entries: SparseTensor.from_scipy(csr_matrix(scipy_csr(entries))),
    "SciPy CSC": lambda entries: SparseTensor.from_scipy(sparse.csc_array(scipy_coo(entries))),
    "SciPy LIL": lambda entries: SparseTensor.from_scipy(sparse.lil_array(scipy_coo(entries))),
    "Arrow": lambda entries: SparseTensor.from_scipy(arrow_coo(entries)),
}


def hybrid(coo):
    """Return a matrix as one sample of one channel, with torch's flag of the order of its cells."""
    return torch.sparse_coo_tensor(
        torch.nn.functional.pad(coo._indices(), (0, 0, 1, 0)),
        coo._values()[:, None],
        (1, *coo.shape, 1),
        is_coalesced=coo.is_coalesced(),
        check_invariants=False,
    )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("way", WAYS_IN)
def test_every_way_in_sorts_the_cells_and_sums_those_that_occur_twice(way, order):
    x, dense = WAYS_IN[way](ORDERS[order]), by_hand(ORDERS[order])
    assert (x.spatial_shape, x.batch_size, x.num_channels) == (SHAPE, 1, 1)
    assert x.coords.tolist() == [[0, *place] for place in dense.nonzero().tolist()]
    assert x.feats.dtype == torch.float32
    assert torch.equal(x.to_dense()[0, 0], dense)
    layer = SubmanifoldConv2d(1, 1, 3, bias=False)
    torch.nn.init.ones_(layer.weight)
    sums = torch.nn.functional.conv2d(dense[None, None], layer.weight, padding=1)[0, 0]
    torch.testing.assert_close(layer(x).feats[:, 0], sums[tuple(x.coords[:, 1:].T)])


def test_torch_calls_an_unsorted_matrix_coalesced():
    coo = torch_csr([(0, 2, 1.0), (0, 0, 1.0), (0, 1, 5.0)]).to_sparse_coo()
    assert coo.is_coalesced()
    assert coo.indices()[1].tolist() == [2, 0, 1]


@pytest.mark.parametrize("column", [-1, 5])
def test_indices_outside_the_shape_are_refused(column):
    outside = torch.tensor([[0], [column]])
    coo = torch.sparse_coo_tensor(
        outside, torch.ones(1), SHAPE, is_coalesced=True, check_invariants=False
    )
    csr = torch.sparse_csr_tensor(
        torch.tensor([0, 1, 1, 1, 1]), outside[1], torch.ones(1), SHAPE, check_invariants=False
    )
    for tensor in (coo, csr):
        with pytest.raises(InputError, match="coords must be non-negative and below"):
            SparseTensor.from_torch(tensor)
    matrix = csr_matrix(SHAPE)
    matrix.indices, matrix.data = np.array([column], np.int32), np.ones(1)
    matrix.indptr = np.array([0, 1, 1, 1, 1], np.int32)
    with pytest.raises(InputError, match="from_scipy needs a matrix whose indices fit its shape"):
        SparseTensor.from_scipy(matrix)


@pytest.mark.usefixtures("unchecked_types")
def test_what_another_door_takes_is_sent_there():
    matrix = csr_matrix(np.eye(2))
    for wrong in (matrix, np.eye(2)):
        with pytest.raises(InputTypeError, match=r"from_torch needs a tensor.*from_scipy"):
            SparseTensor.from_torch(wrong)
    with pytest.raises(InputTypeError, match=r"from_scipy needs a matrix of SciPy.*from_torch"):
        SparseTensor.from_scipy(torch.eye(2).to_sparse())
    line = coo_array(np.array([0.0, 1.0, 2.0]))
    with pytest.raises(InputError, match=r"two axes, but got shape \(3,\); mend it by matrix.resh"):
        SparseTensor.from_scipy(line)
    assert SparseTensor.from_scipy(line.reshape(1, -1)).spatial_shape == (1, 3)
    x = torch.ones(3).to_sparse()
    with pytest.raises(InputError, match=r"mend it by x\.to_dense\(\)\.reshape\(1, -1\)\.to_sp"):
        SparseTensor.from_torch(x)
    row = x.to_dense().reshape(1, -1).to_sparse()
    assert SparseTensor.from_torch(row).spatial_shape == (1, 3)


def test_numbers_that_are_not_real_are_refused():
    for read, numbers in (
        (SparseTensor.from_dense, torch.ones(1, 1, 2) * 1j),
        (SparseTensor.from_torch, (torch.eye(2) * 1j).to_sparse()),
        (SparseTensor.from_scipy, csr_matrix(np.eye(2) * 1j)),
    ):
        with pytest.raises(InputTypeError, match="feats must be real numbers, but got"):
            read(numbers)
    with pytest.raises(InputError, match=r"dense tensor, but got torch.sparse_coo; .*from_torch"):
        SparseTensor.from_dense(torch.ones(1, 1, 2).to_sparse())


def test_integers_become_the_default_float():
    matrix = np.array([[0, 3], [1, 0]])
    cells = SparseTensor.from_scipy(csr_matrix(matrix))
    dense = torch.from_numpy(matrix)[None, None]
    assert cells.feats.dtype == torch.float32
    assert_same(SparseTensor.from_dense(dense), cells)
    assert_same(SparseTensor.from_torch(dense.movedim(1, -1).to_sparse(3)), cells)
    assert_same(SparseTensor.from_dense(dense > 0), cells.with_feats(torch.ones(2, 1)))


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
