import numpy as np
import pytest
import torch

from recsparse.errors import InputError
from recsparse.models.protocol.stored_arrays import (
    checked_state,
    stored_csr,
    stored_number,
    stored_tensor,
    with_prefix,
)


def test_the_tensors_of_a_member_have_its_own_names():
    one, other = torch.ones(1), torch.zeros(2)
    state = {"network.bias": one, "network.linear.network.bias": other, "items": other}
    assert with_prefix(state, "network.") == {"bias": one, "linear.network.bias": other}
    assert with_prefix(state, "linear.") == {}


def test_a_stored_tensor_is_the_one_of_the_state():
    kept = torch.ones(2, 3)
    assert stored_tensor({"items": kept}, "items", 2, None) is kept


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, r"must hold the tensor 'a', but holds \[\]"),
        ({"a": torch.ones(2)}, r"must be of 2 × any and torch.float32, but is of \(2,\)"),
        ({"a": torch.ones(3, 1)}, r"must be of 2 × any and torch.float32, but is of \(3, 1\)"),
        ({"a": torch.ones(2, 1).double()}, "and torch.float64"),
        ({"a": torch.tensor([[1.0], [torch.nan]])}, "must be finite"),
    ],
)
def test_another_tensor_is_refused(found, message):
    with pytest.raises(InputError, match=message):
        stored_tensor(found, "a", 2, None)


def test_a_stored_number_is_not_negative():
    assert stored_number({"a": torch.tensor(0.5, dtype=torch.float64)}, "a") == 0.5
    with pytest.raises(InputError, match="must not be negative, but is"):
        stored_number({"a": torch.tensor(-0.5, dtype=torch.float64)}, "a")


def test_a_stored_matrix_has_its_cells():
    state = {
        "indptr": torch.tensor([0, 1, 3]),
        "indices": torch.tensor([1, 0, 1], dtype=torch.int32),
        "data": torch.tensor([5.0, 6.0, 7.0]),
    }
    assert stored_csr(state, None, None).toarray().tolist() == [[0, 5], [6, 7]]
    assert stored_csr(state, 2, 3).toarray().tolist() == [[0, 5, 0], [6, 7, 0]]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("indptr", [0, 1], "must have 2 \\+ 1 numbers"),
        ("indptr", [0, 3, 1], "must rise from 0 to the 3 cells"),
        ("indices", [1, 0], "must have one column per cell"),
        ("indices", [1, 0, 9], "must be from 0 to 1, but are from 0 to 9"),
        ("data", [1.0, np.inf, 1.0], "must be finite"),
    ],
)
def test_arrays_that_make_no_matrix_are_refused(name, value, message):
    state = {
        "indptr": torch.tensor([0, 1, 3]),
        "indices": torch.tensor([1, 0, 1]),
        "data": torch.tensor([5.0, 6.0, 7.0]),
    }
    with pytest.raises(InputError, match=message):
        stored_csr({**state, name: torch.tensor(value)}, 2, 2)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([1], "Own.state must return a dict of tensors by name, but returns a list"),
        ({"mean": 3.0}, "tensors by name, but 'mean' is a float; make it a tensor"),
        ({3: torch.ones(1)}, "tensors by name, but 3 is a Tensor"),
    ],
)
def test_a_state_that_cannot_be_written_is_refused(state, message):
    with pytest.raises(InputError, match=message):
        checked_state(state, "Own")
