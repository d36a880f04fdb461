import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from benchmarks.maps import VARIANTS, MapNetwork, Variant, map_of
from recsparse.sparse.tensor import SparseTensor

VECTORS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", ["learned", "random"])
def test_every_item_has_a_cell_of_its_own(kind):
    place = map_of(VECTORS, kind, seed=0)
    assert len({tuple(each) for each in place}) == 60
    assert place.min() == 0
    assert place.max() == 7


def test_a_learned_map_puts_items_of_one_group_together():
    groups = np.repeat(np.eye(4, dtype=np.float32), 25, axis=0)
    vectors = groups + np.random.default_rng(0).normal(0, 0.05, groups.shape).astype(np.float32)

    def spread(kind):
        place = map_of(vectors, kind, seed=0).astype(float)
        return np.mean([place[start : start + 25].std(axis=0) for start in range(0, 100, 25)])

    assert spread("learned") < 0.7 * spread("random")


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_history_is_scored_wherever_it_stands_in_the_batch(variant):
    torch.manual_seed(0)
    place = torch.from_numpy(map_of(VECTORS, "random", seed=1))
    network = MapNetwork(variant, place, torch.from_numpy(VECTORS)).eval()
    log = csr_matrix((np.random.default_rng(2).random((5, 60)) < 0.2).astype(np.float32))
    scores = network(SparseTensor.from_scipy(log))
    backwards = network(SparseTensor.from_scipy(log[::-1].tocsr()))
    torch.testing.assert_close(scores, backwards.flip(0), rtol=1e-4, atol=1e-4)


def test_a_window_sees_neighbours_and_a_kernel_of_one_cell_does_not():
    """Two items side by side, or far apart; each with the vector of the other in turn."""
    place = torch.tensor([[0, 0], [0, 1], [9, 9]])
    rows = csr_matrix(np.array([[1, 1, 0], [1, 0, 1]], dtype=np.float32))
    same = torch.tensor([[1.0, 2.0], [0.5, -1.0], [0.5, -1.0]])
    for window, are_equal in ((1, True), (3, False)):
        torch.manual_seed(0)
        network = MapNetwork(Variant(window=window), place, same).eval()
        first, second = network(SparseTensor.from_scipy(rows))
        assert torch.allclose(first, second, atol=1e-5) is are_equal
