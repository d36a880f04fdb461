import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from recsparse import layers
from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.kernel import Kernel, one_an_axis, whole_number
from recsparse.sparse.tensor import sparse_tensor

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@st.composite
def kernels(draw):
    """Draw an input shape, and the settings of a kernel with its own numbers on each axis."""
    num_axes = draw(st.integers(1, 3))
    shape, size, stride, dilation = (
        draw(st.tuples(*[st.integers(1, most)] * num_axes)) for most in (9, 4, 4, 3)
    )
    padding = draw(st.tuples(*[st.integers(0, 4)] * num_axes))
    return shape, (size, stride, padding, dilation)


def shape_of_torch(layer, shape):
    """Return the shape that torch's own layer leads to; the meta device computes nothing else."""
    return tuple(layer(torch.empty(1, 1, *shape, device="meta")).shape[2:])


@given(kernels())
def test_the_shape_of_a_convolution_is_that_of_torch_or_has_an_empty_axis(case):
    shape, kernel = case[0], Kernel(*case[1])
    found = kernel.out_shape(shape)
    layer = CONV[kernel.num_axes](
        1, 1, kernel.size, kernel.stride, kernel.padding, kernel.dilation, device="meta"
    )
    fits = all(
        n + 2 * p >= d * (k - 1) + 1
        for n, k, p, d in zip(shape, kernel.size, kernel.padding, kernel.dilation, strict=True)
    )
    assert (0 not in found) == fits
    if fits:
        assert found == shape_of_torch(layer, shape)


@given(kernels(), st.data())
def test_the_shape_of_a_transposed_convolution_is_that_of_torch(case, data):
    shape, kernel = case[0], Kernel(*case[1])
    most = [max(pair) - 1 for pair in zip(kernel.stride, kernel.dilation, strict=True)]
    more = data.draw(st.tuples(*[st.integers(0, number) for number in most]))
    found = kernel.transposed_out_shape(shape, more)
    assume(0 not in found)  # torch refuses those
    layer = CONV_TRANSPOSE[kernel.num_axes](
        1, 1, kernel.size, kernel.stride, kernel.padding, more, 1, True, kernel.dilation,
        device="meta",
    )  # fmt: skip
    assert found == shape_of_torch(layer, shape)


def test_shapes_have_no_negative_axes():
    kernel = Kernel.of(1, 5)
    assert kernel.out_shape((3,)) == (0,)
    assert Kernel.of(1, 1, padding=4).transposed_out_shape((3,), (0,)) == (0,)


def test_of_no_place_a_transposed_convolution_makes_none():
    assert Kernel.of(2, 3).transposed_out_shape((0, 2), (0, 0)) == (0, 4)


@given(kernels())
def test_taps_are_in_the_order_of_a_flattened_weight(case):
    kernel = Kernel(*case[1])
    expected = torch.ones(kernel.size).nonzero().tolist()
    assert [list(tap) for tap in kernel.taps()] == expected
    assert kernel.num_taps == len(expected)
    assert kernel.num_axes == len(kernel.size)


def test_one_number_serves_every_axis_and_others_stay_what_they_are():
    kernel = Kernel.of(3, 3, (1, 2, 3), padding=[0, 1, 0], dilation=2)
    assert kernel == Kernel((3, 3, 3), (1, 2, 3), (0, 1, 0), (2, 2, 2))
    assert hash(kernel) == hash(Kernel((3, 3, 3), (1, 2, 3), (0, 1, 0), (2, 2, 2)))


def test_the_middle_tap_of_a_centred_kernel_is_the_cell_itself():
    for size, dilation in itertools.product([(1,), (3,), (5,)], [(1,), (4,)]):
        kernel = Kernel.centred(size, dilation)
        assert -kernel.padding[0] + dilation[0] * (size[0] // 2) == 0
        assert kernel.out_shape((7,)) == (7,)


@pytest.mark.parametrize("value", [(1, 2), [1, 2, 3, 4], ()])
def test_another_number_of_entries_than_of_axes_is_refused(value):
    with pytest.raises(InputError, match="stride must have one entry for each of 3 axes, but got"):
        one_an_axis("stride", value, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (3, 0)}, r"kernel_size must be at least 1 on each axis, but got \(3, 0\)"),
        ({"size": 3, "stride": 0}, r"stride must be at least 1 on each axis, but got \(0, 0\)"),
        ({"size": 3, "dilation": (1, -1)}, r"dilation must be at least 1 .* but got \(1, -1\)"),
        (
            {"size": 3, "padding": -1},
            r"padding must be at least 0 on each axis, but got \(-1, -1\)",
        ),
        ({"size": (3, 3, 3)}, r"kernel_size must have one entry .* 2 axes, but got \(3, 3, 3\)"),
        ({"size": 3, "padding": (1,)}, r"padding must have one entry .* 2 axes, but got \(1,\)"),
    ],
)
def test_settings_that_make_no_kernel_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Kernel.of(2, **settings)


@pytest.mark.parametrize("sizes", [((3, 3), (1,)), ((), ())])
def test_a_kernel_of_other_entries_in_each_setting_or_of_none_is_refused(sizes):
    size, others = sizes
    with pytest.raises(InputError, match="one entry per axis in each setting, but got Kernel"):
        Kernel(size, others, others, others)


@pytest.mark.parametrize("size", [(2,), (3, 4), (-1,), (0,)])
def test_a_centred_kernel_without_a_centre_is_refused(size):
    with pytest.raises(InputError, match=r"must be odd on each axis.* use the next odd size"):
        Kernel.centred(size, (1,) * len(size))


def test_a_wrong_dilation_of_a_centred_kernel_is_called_by_its_name():
    with pytest.raises(InputError, match=r"dilation must be at least 1 .* but got \(0,\)"):
        Kernel.centred((3,), (0,))


def test_a_grid_of_other_axes_is_refused():
    kernel = Kernel.of(2, 3)
    message = r"one entry for each of 3 axes of the grid, but got \(3, 3\)"
    for refused in (
        lambda: kernel.check_axes((4, 4, 4)),
        lambda: kernel.out_shape((4, 4, 4)),
        lambda: kernel.transposed_out_shape((4, 4, 4), (0, 0, 0)),
    ):
        with pytest.raises(InputError, match=message):
            refused()


def test_a_kernel_of_one_axis_is_laid_along_the_last_of_several():
    kernel = Kernel.of(1, 3, stride=2, padding=4, dilation=5)
    expected = Kernel((1, 1, 3), (1, 1, 2), (0, 0, 4), (1, 1, 5))
    assert kernel.along_last(3) == expected
    assert kernel.along_last(1) == kernel


INTEGERS = {"numpy": np.int64, "numpy, 8 bits": np.uint8, "torch": torch.tensor}


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_of_every_kind_are_settings_as_those_of_python(kind):
    of = INTEGERS[kind]
    assert one_an_axis("stride", of(2), 3) == one_an_axis("stride", [of(2)] * 3, 3) == (2, 2, 2)
    assert whole_number("groups", of(2)) == 2
    made = [
        layers.SubmanifoldConv2d(of(2), of(4), of(3), of(1), of(2)),
        layers.SparseConv2d(of(2), of(4), (of(3), 3), of(2), of(1), of(1), of(1)),
        layers.SparseConvTranspose2d(of(2), of(4), of(3), of(2), of(1), of(1)),
        layers.SparseInverseConv2d(of(2), of(4), of(3), of(2), of(1)),
        layers.CausalConv1d(of(2), of(4), of(3), of(2)),
        layers.SparseMaxPool2d(of(3), of(2), of(1)),
        layers.SparseUnpool2d(of(2)),
        layers.AxisPool(of(1)),
        layers.AxisConv(of(2), of(2), of(4)),
        layers.AttentionPool(of(2), of(1), of(3)),
        layers.BagOfWordsEncoder(of(5), of(2)),
        layers.SparseBasicBlock(of(2), of(2), of(4), of(2)),
        layers.SparseUNet(of(2), of(2), of(3), (of(4), of(6)), of(1)),
        layers.SparseResNet(of(2), of(2), of(3), (of(1),), width=of(4)),
        layers.SparseVGG(of(2), of(2), of(3), (of(1),), width=of(4)),
    ]
    kernels = [part.kernel for layer in made for part in layer.modules() if hasattr(part, "kernel")]
    settings = [value for kernel in kernels for value in itertools.chain(*kernel.as_lists())]
    assert {type(value) for value in settings} == {int}
    x = sparse_tensor(torch.tensor([[0, 1, 1], [0, 1, 2]]), torch.ones(2, 2), (of(4), 6), of(1))
    for layer in made[:2]:
        assert layer(x).num_channels == 4


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.SubmanifoldConv2d(1, 1, 3.0), r"kernel_size must be .* 3\.0; .* int\(3"),
        (lambda: layers.SparseConv2d(1, 1, 3, stride=2.0), r"stride must be .* 2\.0; mend it by"),
        (lambda: layers.SparseConv2d(1, 1, (3, 2.5)), r"kernel_size must be .* got \(3, 2\.5\)"),
        (lambda: layers.SparseConv2d(1, 1, "3"), "kernel_size must be one integer, .* got '3'"),
        (lambda: layers.SparseConv2d(1, 1, None), "kernel_size must be one integer, .* got None"),
        (
            lambda: layers.SubmanifoldConv2d(1.0, 1, 3),
            r"in_channels must be an integer, .* 1\.0",
        ),
        (lambda: layers.SubmanifoldConv2d(1, 1, 3, groups=1.0), "groups must be an integer"),
        (lambda: layers.CausalConv1d(1, 1, 3.0), r"kernel_size must be an integer, but got 3\.0"),
        (lambda: layers.SparseMaxPool2d(2.0), "kernel_size must be one integer"),
        (lambda: layers.SparseUnpool2d(2, padding=0.0), "padding must be one integer"),
        (lambda: layers.AxisPool(1.0), r"axis must be an integer, but got 1\.0; mend it by int"),
        (lambda: layers.AxisPool(["user"]), "axis must be an integer, but got 'user'"),
        (lambda: layers.AxisConv(2.0, 1, 1), "num_axes must be an integer"),
        (lambda: layers.SparseUNet(2.0, 1, 1), "num_axes must be an integer"),
        (lambda: layers.SparseBasicBlock(2, 1, 1, stride=2.0), "stride must be an integer"),
        (lambda: layers.AttentionPool(4.0), "channels must be an integer"),
        (lambda: layers.BagOfWordsEncoder(5.0, 2), "num_words must be an integer"),
    ],
)
def test_what_is_no_integer_is_refused_by_the_name_of_the_setting(make, message):
    with pytest.raises(InputTypeError, match=message):
        make()
