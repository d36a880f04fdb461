import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.metrics.item_metrics import OF_ITEMS
from recsparse.metrics.judged_lists import JudgedLists
from recsparse.metrics.list_context import ListContext, tail_items

SIZES = st.integers(1, 5), st.integers(2, 9), st.integers(0, 999), st.integers(1, 4)


def lists_of(lists, targets, history, **context):
    """Lists of dense matrices."""
    sparse = {
        name: csr_matrix(np.array(values, dtype=float)) if name != "popularity" else values
        for name, values in context.items()
    }
    return JudgedLists(
        np.array(lists),
        csr_matrix(np.array(targets, dtype=float)),
        csr_matrix(np.array(history, dtype=float)),
        ListContext(**sparse),
    )


def random_case(users, items, seed, k):
    rng = np.random.default_rng(seed)
    lists = np.argsort(rng.random((users, items)), axis=1)[:, :k]
    lists = np.where(rng.random(lists.shape) < 0.2, -1, lists)
    lists = np.pad(lists, [(0, 0), (0, k - lists.shape[1])], constant_values=-1)
    vectors = rng.normal(size=(items, 3)) * (rng.random((items, 3)) < 0.6)
    return lists_of(
        lists,
        rng.random((users, items)) < 0.4,
        (rng.random((users, items)) < 0.3) * rng.integers(1, 4, (users, items)),
        popularity=rng.integers(0, 9, items).astype(float),
        item_vectors=vectors,
        item_categories=(rng.random((items, 4)) < 0.4) * 2.0,
    )


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def one_by_one(case, k):
    """Each list, and the vectors of what is known of it and of the history."""
    vectors = case.context.item_vectors.toarray()
    for best, wanted, past in zip(
        case.recommended, case.targets.toarray(), case.history.toarray(), strict=True
    ):
        known = [item for item in best[:k] if item >= 0 and vectors[item].any()]
        before = [item for item in past.nonzero()[0] if vectors[item].any()]
        yield known, before, wanted > 0, vectors


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else math.nan


@given(*SIZES)
def test_diversity_is_the_mean_distance_of_two_items(users, items, seed, k):
    case = random_case(users, items, seed, k)
    expected = [
        mean(1 - cosine(v[a], v[b]) for a, b in itertools.combinations(known, 2))
        for known, _, _, v in one_by_one(case, k)
    ]
    np.testing.assert_allclose(OF_ITEMS["ild"](case, k), expected, atol=1e-9)


@given(*SIZES)
def test_unexpected_is_what_is_far_from_the_history(users, items, seed, k):
    case = random_case(users, items, seed, k)
    expected, useful = [], []
    for known, before, wanted, v in one_by_one(case, k):
        far = {item: mean(1 - cosine(v[item], v[past]) for past in before) for item in known}
        expected.append(mean(far.values()))
        hits = sum(far[item] for item in known if wanted[item])
        useful.append(hits / k if before else math.nan)
    np.testing.assert_allclose(OF_ITEMS["unexpectedness"](case, k), expected, atol=1e-9)
    np.testing.assert_allclose(OF_ITEMS["serendipity"](case, k), useful, atol=1e-9)


@given(*SIZES)
def test_calibration_is_the_divergence_of_steck(users, items, seed, k):
    case = random_case(users, items, seed, k)
    categories = case.context.item_categories.toarray()
    expected = []
    for best, past in zip(case.recommended, case.history.toarray(), strict=True):
        p, q = np.zeros(4), np.zeros(4)
        for profile, chosen in ((p, past.nonzero()[0]), (q, [i for i in best[:k] if i >= 0])):
            for item in chosen:
                if categories[item].any():
                    profile += categories[item] / categories[item].sum()
        if not p.any() or not q.any():
            expected.append(math.nan)
            continue
        p, q = p / p.sum(), q / q.sum()
        expected.append(
            sum(a * math.log(a / (0.99 * b + 0.01 * a)) for a, b in zip(p, q, strict=True) if a)
        )
    np.testing.assert_allclose(OF_ITEMS["calibration"](case, k), expected, atol=1e-9)


def test_popularity_by_hand():
    """Rows 5, 3, 1, 1 and 0; the list has items 1, 4 and 2, the history items 0 and 3."""
    case = lists_of(
        [[1, 4, 2]], [[1, 0, 0, 0, 0]], [[1, 0, 0, 1, 0]], popularity=np.array([5.0, 3, 1, 1, 0])
    )
    found = {name: OF_ITEMS[name](case, 3).item() for name in ("novelty", "arp", "aplt")}
    found |= {name: OF_ITEMS[name](case, 3).item() for name in ("new_items", "popularity_lift")}
    expected = {
        "novelty": (math.log2(10 / 3) + math.log2(10 / 1) + math.log2(10 / 1)) / 3,
        "arp": (3 + 0 + 1) / 3,
        "aplt": 2 / 3,  # 5 + 3 of 10 rows are the head
        "new_items": 1 / 3,
        "popularity_lift": ((3 + 0 + 1) / 3) / ((5 + 1) / 2) - 1,
    }
    assert found == pytest.approx(expected)


def test_shorter_lists_are_judged_by_the_items_they_have():
    case = lists_of([[0, -1], [-1, -1]], [[1, 0]] * 2, [[0, 1]] * 2, popularity=np.array([4.0, 1]))
    np.testing.assert_array_equal(OF_ITEMS["arp"](case, 2), [4.0, math.nan])


def test_without_a_history_nothing_is_lifted_or_unexpected():
    case = lists_of(
        [[0, 1]], [[1, 0]], [[0, 0]], popularity=np.ones(2), item_vectors=np.eye(2),
        item_categories=np.eye(2),
    )  # fmt: skip
    for name in ("popularity_lift", "unexpectedness", "serendipity", "calibration"):
        assert math.isnan(OF_ITEMS[name](case, 2).item()), name
    assert OF_ITEMS["ild"](case, 2).item() == 1.0


def test_a_list_like_the_history_is_calibrated_and_items_alike_are_not_diverse():
    categories = [[1, 0], [0, 1], [1, 0], [0, 1]]
    case = lists_of(
        [[2, 3], [2, 0]], [[1, 0, 0, 0]] * 2, [[1, 1, 0, 0]] * 2,
        item_vectors=categories, item_categories=categories,
    )  # fmt: skip
    of_one = 0.5 * math.log(0.5 / (0.99 * 1 + 0.01 * 0.5)) + 0.5 * math.log(0.5 / (0.01 * 0.5))
    np.testing.assert_allclose(OF_ITEMS["calibration"](case, 2), [0.0, of_one], atol=1e-12)
    np.testing.assert_allclose(OF_ITEMS["ild"](case, 2), [1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("name", sorted(OF_ITEMS))
def test_nobody_gives_metrics_of_nobody(name):
    nothing = np.zeros((0, 3))
    case = lists_of(
        np.zeros((0, 2), dtype=int), nothing, nothing, popularity=np.ones(3),
        item_vectors=np.eye(3), item_categories=np.eye(3),
    )  # fmt: skip
    assert OF_ITEMS[name](case, 2).shape == (0,)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_the_head_holds_four_fifths_of_the_rows_and_no_item_too_many(rows):
    popularity = np.array(rows, dtype=float)
    head = popularity[~tail_items(popularity)]
    assert head.sum() >= 0.8 * popularity.sum()
    if len(head):
        assert head.sum() - head.min() < 0.8 * popularity.sum()
        assert head.min() >= popularity[tail_items(popularity)].max(initial=0)
