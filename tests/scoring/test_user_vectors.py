import numpy as np
import pytest
import torch

from recsparse.scoring import user_vectors as module
from recsparse.scoring.user_vectors import UserVectors

NUM_USERS, NUM_ITEMS, CHANNELS = 7, 5, 3


class Maker:
    """Makes vectors, and remembers for whom."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.table = rng.standard_normal((NUM_USERS, CHANNELS)).astype(np.float32)
        self.items = rng.standard_normal((NUM_ITEMS, CHANNELS)).astype(np.float32)
        self.made = []

    def __call__(self, user_index):
        self.made.append(user_index.tolist())
        return torch.from_numpy(self.table[user_index])

    def vectors(self, at_once=1024):
        return UserVectors(NUM_USERS, torch.from_numpy(self.items), self, at_once)


@pytest.mark.parametrize("pairs", [0, 1, 4, 1_300])
def test_products_are_those_of_the_rows(pairs):
    maker, rng = Maker(), np.random.default_rng(1)
    users, items = rng.integers(0, NUM_USERS, pairs), rng.integers(0, NUM_ITEMS, pairs)
    found = maker.vectors().products(users, items)
    expected = (maker.table @ maker.items.T)[users, items]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_each_user_is_folded_in_once_and_only_where_wanted():
    maker = Maker()
    vectors = maker.vectors(at_once=2)
    first = vectors.of(np.array([4, 1, 4, 6]))
    assert torch.equal(first, torch.from_numpy(maker.table[[4, 1, 4, 6]]))
    vectors.products(np.array([1, 2, 2]), np.array([0, 0, 1]))
    vectors.of(np.array([6, 2]))
    assert maker.made == [[1, 4], [6], [2]]


def test_many_vectors_lie_in_a_file_and_few_of_many_users_do_not(monkeypatch):
    monkeypatch.setattr(module, "_LARGEST_IN_MEMORY", 4 * CHANNELS * (NUM_USERS - 1))
    maker = Maker()
    vectors = maker.vectors()
    few, everyone = np.arange(1, NUM_USERS - 2), np.arange(NUM_USERS)
    assert torch.equal(vectors.of(few), torch.from_numpy(maker.table[few]))
    assert not isinstance(vectors._table, np.memmap)
    assert torch.equal(vectors.of(everyone), torch.from_numpy(maker.table))
    assert isinstance(vectors._table, np.memmap)
    assert maker.made == [few.tolist(), [0, NUM_USERS - 2, NUM_USERS - 1]]
