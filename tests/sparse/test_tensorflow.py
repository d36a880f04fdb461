import itertools
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given

from recsparse.errors import InputError, InputTypeError, MissingPackageError
from recsparse.sparse.tensor import SparseTensor
from tests.random_grids import random_tensor, sparse_tensors


def tf_sparse(indices, values, dense_shape):
    """Stand in for `tf.sparse.SparseTensor`; like tensorflow's, its arrays are read-only."""
    parts = {
        "indices": np.asarray(indices, dtype=np.int64).reshape(-1, len(dense_shape)),
        "values": np.asarray(values),
        "dense_shape": np.asarray(dense_shape, dtype=np.int64),
    }
    for array in parts.values():
        array.flags.writeable = False
    return SimpleNamespace(**parts)


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    """Put a module with the one class that is used in tensorflow's place."""
    module = ModuleType("tensorflow")
    module.sparse = SimpleNamespace(SparseTensor=tf_sparse)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorflow", module)
        yield


@given(sparse_tensors(2))
def test_every_channel_of_every_cell_is_stored_in_row_major_order(make):
    x = make()
    stored = x.to_tensorflow()
    assert stored.dense_shape.tolist() == [x.batch_size, *x.spatial_shape, x.num_channels]
    expected = [[*cell, channel] for cell in x.coords.tolist() for channel in range(x.num_channels)]
    assert stored.indices.tolist() == expected
    assert stored.values.tolist() == list(itertools.chain(*x.feats.tolist()))


@given(sparse_tensors(2))
def test_a_tensor_comes_back_as_it_was(make):
    x = make()
    back = SparseTensor.from_tensorflow(x.to_tensorflow())
    assert (back.batch_size, back.spatial_shape) == (x.batch_size, x.spatial_shape)
    assert back.num_channels == x.num_channels
    assert torch.equal(back.to_dense(), x.to_dense())
    if x.num_channels:
        assert back.coords.tolist() == x.coords.tolist()
        assert torch.equal(back.feats, x.feats)


def test_the_features_leave_the_graph():
    x = random_tensor((2, 2))
    stored = x.with_feats(x.feats.requires_grad_()).to_tensorflow()
    assert stored.values.tolist() == x.feats.flatten().tolist()


def test_bfloat16_becomes_float32():
    stored = random_tensor((2, 2), dtype=torch.bfloat16).to_tensorflow()
    assert stored.values.dtype == np.float32


def test_unsorted_entries_are_sorted_and_repeated_ones_are_summed():
    entries = [[0, 1, 1], [0, 0, 0], [0, 1, 1]]
    x = SparseTensor.from_tensorflow(tf_sparse(entries, [1.0, 5.0, 2.0], (1, 3, 2)))
    assert x.coords.tolist() == [[0, 0], [0, 1]]
    assert x.feats.tolist() == [[5.0, 0.0], [0.0, 1.0 + 2.0]]


def test_integers_become_the_default_float():
    x = SparseTensor.from_tensorflow(tf_sparse([[0, 0, 0]], [7], (1, 1, 1)))
    assert x.feats.dtype == torch.float32
    assert x.feats.tolist() == [[7.0]]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int8, np.uint16, np.uint64, np.bool_])
def test_every_type_is_read_and_low_precision_is_summed_in_float32(kind):
    x = SparseTensor.from_tensorflow(tf_sparse([[0, 0, 0]] * 3000, np.ones(3000, kind), (1, 1, 1)))
    assert x.feats.dtype == (torch.float16 if kind is np.float16 else torch.float32)
    assert x.feats.item() == 3000


def test_values_that_are_no_real_numbers_are_refused():
    for values in ([1j], ["a"]):
        with pytest.raises(InputTypeError, match="feats must be"):
            SparseTensor.from_tensorflow(tf_sparse([[0, 0, 0]], values, (1, 1, 1)))


def test_a_tensor_without_axes_is_refused():
    with pytest.raises(
        InputError, match=r"\(batch, \*spatial_shape, channels\), .* shape \(2, 1\)"
    ):
        SparseTensor.from_tensorflow(tf_sparse([[0, 0]], [1.0], (2, 1)))


@pytest.mark.parametrize("entry", [[0, 3, 0], [0, 0, 2], [-1, 0, 0]])
def test_an_entry_outside_the_shape_is_refused(entry):
    with pytest.raises(InputError, match=r"the first is coords\[0\]"):
        SparseTensor.from_tensorflow(tf_sparse([entry], [1.0], (1, 3, 2)))


def test_without_tensorflow_the_package_to_install_is_named(monkeypatch):
    # None in place of a module makes its import fail.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingPackageError, match="pip install tensorflow"):
        random_tensor((2, 2)).to_tensorflow()
