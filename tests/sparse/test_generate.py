import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.generate import conv_coords, conv_transpose_coords
from recsparse.sparse.kernel import Kernel
from tests import oracles
from tests.oracles import Window
from tests.random_grids import random_tensor, sparse_tensors


@st.composite
def cases(draw):
    """Draw how to make a tensor of one to four axes, and a window."""
    num_axes = draw(st.integers(1, 4))
    make = draw(sparse_tensors(num_axes, channels=1, max_size=6 - num_axes))
    settings = [st.tuples(*[st.integers(low, 3)] * num_axes) for low in (1, 1, 0, 1)]
    return make, Window(*(draw(numbers) for numbers in settings))


def kernel_of(window):
    return Kernel(window.size, window.stride, window.padding, window.dilation)


@given(cases())
def test_a_convolution_makes_the_cells_active_that_loops_find_to_see_an_active_one(case):
    make, window = case
    x = make()
    found = conv_coords(x.coords, x.spatial_shape, kernel_of(window))
    expected = oracles.looped_seen_cells(x.coords, x.spatial_shape, x.batch_size, window)
    assert found.tolist() == expected


@given(cases(), st.integers(0, 2))
def test_a_transposed_convolution_makes_the_cells_active_that_loops_find_to_be_reached(case, more):
    make, window = case
    x, kernel = make(), kernel_of(window)
    shape = kernel.transposed_out_shape(x.spatial_shape, (more,) * kernel.num_axes)
    found = conv_transpose_coords(x.coords, shape, kernel)
    assert found.tolist() == oracles.looped_reached_cells(x.coords, shape, window)


def test_the_two_undo_each_other_where_windows_do_not_overlap():
    x = random_tensor((6, 8), 2, density=0.2)
    kernel = Kernel.of(2, 2, stride=2)
    coarse = conv_coords(x.coords, x.spatial_shape, kernel)
    fine = conv_transpose_coords(coarse, x.spatial_shape, kernel)
    assert len(fine) == 4 * len(coarse)
    assert {tuple(cell) for cell in x.coords.tolist()} <= {tuple(cell) for cell in fine.tolist()}
    assert torch.equal(conv_coords(fine, x.spatial_shape, kernel), coarse)


def test_far_cells_of_a_vast_grid_are_found():
    end = 2**31 - 2
    coords = torch.tensor([[0, 0, 0], [0, end, end]])
    found = conv_coords(coords, (end + 1, end + 1), Kernel.of(2, (2, 1)))
    assert found.tolist() == [[0, 0, 0], [0, end - 1, end]]


def test_an_output_past_63_bits_is_refused():
    coords = torch.tensor([[0, 0, 0], [0, 2**31, 2**31]])
    kernel = Kernel.of(2, 2, stride=2)
    with pytest.raises(InputError, match=r"must fit 63 bits, but takes 64; split axis 0"):
        conv_transpose_coords(coords, (2**32, 2**32), kernel)
