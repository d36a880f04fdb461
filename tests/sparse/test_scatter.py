import importlib.util
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsparse.sparse import scatter
from recsparse.sparse.scatter import (
    backend,
    scatter_max,
    scatter_mean,
    scatter_softmax,
    scatter_sum,
    segment_of_rows,
    segment_sum,
)

BY_INDEX = [scatter_sum, scatter_mean, scatter_max, scatter_softmax]
NUMPY = {"sum": np.sum, "mean": np.mean, "max": np.max}


@pytest.fixture(params=["torch_scatter", "torch"])
def each_backend(request, monkeypatch):
    """Run a test on torch_scatter's kernels and, without the warning, on torch's own."""
    if request.param == "torch":
        monkeypatch.setattr(scatter, "torch_scatter", None)
        monkeypatch.setattr(scatter, "_warn_once", lambda: None)
    else:
        pytest.importorskip("torch_scatter")
    assert backend() == request.param


@st.composite
def grouped_rows(draw):
    """Draw rows of small integers, in which ties are frequent, their groups, and the pointers."""
    num_groups, channels = draw(st.integers(1, 5)), draw(st.integers(0, 3))
    index = draw(st.lists(st.integers(0, num_groups - 1), max_size=12))
    values = st.lists(st.integers(-2, 2), min_size=channels, max_size=channels)
    rows = [draw(values) for _ in index]
    src = np.array(rows, dtype=np.float64).reshape(len(index), channels)
    return src, np.array(sorted(index), dtype=np.int64), draw(st.permutations(range(len(index))))


def as_tensors(case):
    src, index, order = case
    order = torch.tensor(order, dtype=torch.int64)
    return torch.from_numpy(src)[order], torch.from_numpy(index)[order], 5


def as_segments(case):
    src, index, _ = case
    return torch.from_numpy(src), torch.from_numpy(np.searchsorted(index, range(6)))


def reduced_one_by_one(src, index, num_groups, reduce):
    """Reduce each group in numpy; zero for a group without rows."""
    out = np.zeros((num_groups, src.shape[1]))
    for group in range(num_groups):
        rows = src.numpy()[index.numpy() == group]
        if len(rows):
            out[group] = NUMPY[reduce](rows, axis=0)
    return out


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("reduction", BY_INDEX[:3])
@given(case=grouped_rows())
def test_groups_are_reduced_as_numpy_reduces_them(each_backend, reduction, case):
    src, index, num_groups = as_tensors(case)
    expected = reduced_one_by_one(src, index, num_groups, reduction.__name__.split("_")[1])
    np.testing.assert_allclose(reduction(src, index, num_groups), expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=grouped_rows())
def test_segments_are_summed_as_numpy_sums_them(each_backend, case):
    src, ptr = as_segments(case)
    index = torch.from_numpy(case[1])
    expected = reduced_one_by_one(src, index, 5, "sum")
    np.testing.assert_allclose(segment_sum(src, ptr), expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=grouped_rows())
def test_the_shares_of_a_group_are_exponentials_over_their_sum(each_backend, case):
    src, index, num_groups = as_tensors(case)
    share = scatter_softmax(src, index, num_groups)
    for group in index.unique():
        rows = np.exp(src.numpy()[index.numpy() == int(group)])
        np.testing.assert_allclose(share[index == group], rows / rows.sum(axis=0))


def result_and_gradient(reduction, src, *rest):
    src = src.clone().requires_grad_()
    out = reduction(src, *rest)
    into = torch.arange(1.0, 1 + out.numel(), dtype=out.dtype).reshape(out.shape)
    return out.detach(), *torch.autograd.grad(out, src, into)


@pytest.mark.parametrize("reduction", [*BY_INDEX, segment_sum])
@given(case=grouped_rows())
def test_both_backends_give_the_same_result_and_gradient_despite_ties(reduction, case):
    pytest.importorskip("torch_scatter")
    given_rows = as_tensors(case) if reduction in BY_INDEX else as_segments(case)
    expected = result_and_gradient(reduction, *given_rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scatter, "torch_scatter", None)
        patch.setattr(scatter, "_warn_once", lambda: None)
        found = result_and_gradient(reduction, *given_rows)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("reduction", BY_INDEX)
def test_gradients_by_index_equal_finite_differences(each_backend, reduction):
    src = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    index = torch.tensor([3, 0, 3, 3, 1, 0])
    src.requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: reduction(rows, index, 5), src)
    # Of the third power, since what is linear has no second derivative to get wrong.
    assert torch.autograd.gradgradcheck(lambda rows: reduction(rows, index, 5).pow(3), src)


def test_gradients_by_pointer_equal_finite_differences(each_backend):
    src = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ptr = torch.tensor([0, 2, 2, 3, 6])
    src.requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: segment_sum(rows, ptr), src)
    assert torch.autograd.gradgradcheck(lambda rows: segment_sum(rows, ptr).pow(3), src)


def test_of_equal_values_the_first_gets_the_gradient(each_backend):
    tied = torch.tensor([[7.0], [9.0], [9.0]])
    _, grad = result_and_gradient(scatter_max, tied, torch.tensor([0, 0, 0]), 1)
    assert grad.tolist() == [[0.0], [1.0], [0.0]]


def test_a_maximum_below_zero_is_kept(each_backend):
    below = torch.tensor([[-3.0], [-2.0]])
    assert scatter_max(below, torch.tensor([1, 1]), 2).tolist() == [[0.0], [-2.0]]


def test_a_group_of_minus_infinities_keeps_them(each_backend):
    lowest = torch.tensor([[-torch.inf], [1.0]])
    assert scatter_max(lowest, torch.tensor([0, 1]), 2).tolist() == [[-torch.inf], [1.0]]


def test_no_rows_and_no_groups_give_no_rows(each_backend):
    nothing, nowhere = torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)
    for reduction in (scatter_sum, scatter_mean, scatter_max, scatter_softmax):
        assert reduction(nothing, nowhere, 0).shape == (0, 2)
    assert segment_sum(nothing, torch.tensor([0])).shape == (0, 2)


def test_nan_and_infinities_stay_in_their_group_and_channel(each_backend):
    src = torch.tensor([[torch.nan, 1], [torch.inf, 1], [-torch.inf, 1], [1, 1], [2, 2]])
    index = torch.tensor([0, 1, 2, 3, 3])
    by_pointer = segment_sum(src, torch.tensor([0, 1, 2, 3, 5]))
    for out in (scatter_sum(src, index, 4), scatter_mean(src, index, 4), by_pointer):
        assert out[0].isnan().tolist() == [True, False]
        assert out[1:3, 0].tolist() == [torch.inf, -torch.inf]
        assert out[1:].isnan().any().item() is False
        assert out[3].isfinite().all()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_is_the_largest_value_of_its_group_wherever_it_is(each_backend, place):
    src = torch.tensor([[1.0, 1.0], [3.0, 3.0], [2.0, 2.0], [-torch.inf, torch.inf]])
    src[place, 0] = torch.nan
    expected = torch.tensor([[torch.nan, 3.0], [-torch.inf, torch.inf], [0.0, 0.0]])
    src.requires_grad_()
    largest = scatter_max(src, torch.tensor([0, 0, 0, 1]), 3)
    torch.testing.assert_close(largest, expected, equal_nan=True)
    (grad,) = torch.autograd.grad(largest[0, 0], src)
    assert grad.nonzero().tolist() == [[place, 0]]


def test_the_softmax_of_a_group_with_nan_is_nan_and_that_of_others_is_not(each_backend):
    src = torch.tensor([[torch.nan], [1.0], [1.0], [1.0]])
    shares = scatter_softmax(src, torch.tensor([0, 0, 1, 1]), 2).flatten()
    assert shares[:2].isnan().all()
    assert shares[2:].tolist() == [0.5, 0.5]


def test_the_softmax_of_large_numbers_does_not_overflow(each_backend):
    shares = scatter_softmax(torch.tensor([[1000.0], [1000.0]]), torch.tensor([0, 0]), 1)
    assert shares.tolist() == [[0.5], [0.5]]


@given(st.lists(st.integers(0, 3)))
def test_pointers_and_segment_numbers_say_the_same(lengths):
    ptr = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int64)
    expected = [segment for segment, length in enumerate(lengths) for _ in range(length)]
    assert segment_of_rows(ptr).tolist() == expected


def test_the_loss_of_torch_scatter_is_told_once(monkeypatch):
    monkeypatch.setattr(scatter, "torch_scatter", None)
    scatter._warn_once.cache_clear()
    src, index = torch.ones(2, 1), torch.tensor([0, 1])
    with pytest.warns(UserWarning, match=r"torch_scatter cannot be imported.*recsparse\[scatter\]"):
        scatter_sum(src, index, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scatter_max(src, index, 2)
        segment_sum(src, torch.tensor([0, 1, 2]))
    scatter._warn_once.cache_clear()


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_a_torch_scatter_that_is_missing_or_built_for_another_torch_is_not_used(
    error, tmp_path, monkeypatch
):
    (tmp_path / "torch_scatter.py").write_text(f"raise {error.__name__}('undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch_scatter", raising=False)
    spec = importlib.util.spec_from_file_location("another_scatter", scatter.__file__)
    another = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(another)
    assert another.backend() == "torch"
    with pytest.warns(UserWarning, match="torch_scatter cannot be imported"):
        assert another.scatter_sum(torch.ones(2, 1), torch.tensor([0, 0]), 1).item() == 2.0


def test_there_is_no_warning_where_torch_scatter_is_installed():
    pytest.importorskip("torch_scatter")
    scatter._warn_once.cache_clear()
    scatter_sum(torch.ones(1, 1), torch.tensor([0]), 1)
    assert scatter._warn_once.cache_info().misses == 0


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_sums_of_many_large_numbers_keep_their_digits(each_backend, groups, reduce):
    generator = torch.Generator().manual_seed(0)
    src = 3000 + torch.rand(100_001, 2, generator=generator)
    index = torch.arange(100_001) * groups // 100_001
    ptr = torch.searchsorted(index, torch.arange(groups + 1))
    parts = [getattr(src[index == group].double(), reduce)(0) for group in range(groups)]
    expected = torch.stack(parts)
    by_index = {"sum": scatter_sum, "mean": scatter_mean}[reduce](src, index, groups)
    torch.testing.assert_close(by_index.double(), expected, rtol=2e-6, atol=0)
    if reduce == "sum":
        by_pointer = segment_sum(src, ptr)
        torch.testing.assert_close(by_pointer.double(), expected, rtol=2e-6, atol=0)
