import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.metrics import best_products
from recsparse.metrics.top_k import top_products


def listed_naively(users, items, seen, k, candidates):
    """Each user's items sorted by falling product, ties by the lower index."""
    products, lists = users @ items.T, []
    for row, hidden in zip(products, seen.toarray() > 0, strict=True):
        left = [item for item in np.lexsort((np.arange(len(row)), -row)) if not hidden[item]]
        left = [item for item in left if candidates is None or candidates[item]]
        lists.append([*left[:k], *[-1] * (k - len(left[:k]))])
    return lists


@given(
    shape=st.tuples(st.integers(0, 9), st.integers(0, 70), st.integers(1, 3)),
    k=st.integers(1, 12),
    threads=st.sampled_from([1, 2]),
    narrow=st.booleans(),
    seed=st.integers(0, 99),
)
def test_lists_are_those_of_all_products(shape, k, threads, narrow, seed):
    num_users, num_items, channels = shape
    rng = np.random.default_rng(seed)
    # Whole numbers, so that products are exact and ties are frequent.
    users = rng.integers(-2, 3, (num_users, channels)).astype(np.float32)
    items = rng.integers(-2, 3, (num_items, channels)).astype(np.float32)
    seen = csr_matrix((rng.random((num_users, num_items)) < 0.3).astype(np.float32))
    candidates = rng.random(num_items) < 0.7 if narrow else None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(best_products, "_PRODUCTS_AT_ONCE", 2 * max(1, num_items))
            given = torch.from_numpy(users), torch.from_numpy(items), seen, k, candidates
            found, values = top_products(*given)
    finally:
        torch.set_num_threads(before)
    assert found.tolist() == listed_naively(users, items, seen, k, candidates)
    at = np.take_along_axis(np.pad(users @ items.T, ((0, 0), (0, 1))), found.numpy(), axis=1)
    np.testing.assert_array_equal(values.numpy(), np.where(found.numpy() < 0, -np.inf, at))


def test_vectors_stay_as_they_were_and_may_be_transposed():
    users, items = torch.ones(2, 3), torch.arange(12.0).reshape(3, 4).T
    before = users.clone(), items.clone()
    assert top_products(users, items, None, 2)[0].tolist() == [[3, 2], [3, 2]]
    assert torch.equal(users, before[0])
    assert torch.equal(items, before[1])


def test_a_list_has_at_least_one_place():
    with pytest.raises(InputError, match="k must be at least 1, but got 0"):
        top_products(torch.ones(1, 1), torch.ones(1, 1), None, 0)
