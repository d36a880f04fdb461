import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from sklearn.metrics.pairwise import cosine_similarity

from recsparse.datasets.orders import nearest
from recsparse.datasets.orders.nearest import nearest_rows, placed_behind


@given(
    num_new=st.integers(1, 7),
    num_rows=st.integers(1, 9),
    num_columns=st.integers(1, 6),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
    chunk=st.sampled_from([1, 5, 10**6]),
)
def test_the_nearest_row_has_the_largest_cosine(
    num_new, num_rows, num_columns, density, seed, chunk
):
    rng = np.random.default_rng(seed)
    new = random_array((num_new, num_columns), density=density, rng=rng).toarray()
    rows = random_array((num_rows, num_columns), density=density, rng=rng).toarray()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "_CHUNK", chunk)
        found = nearest_rows(csr_matrix(new), csr_matrix(rows))
    cosine = cosine_similarity(new, rows)
    for row, best in enumerate(found):
        if cosine[row].max() == 0:
            assert best == -1
        else:
            assert cosine[row, best] == pytest.approx(cosine[row].max(), abs=1e-8)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_without_rows_or_newcomers_nothing_is_near(shape):
    num_new, num_rows = shape
    found = nearest_rows(csr_matrix((num_new, 4)), csr_matrix((num_rows, 4)))
    assert found.tolist() == [-1] * num_new


@given(st.integers(0, 99))
def test_of_equally_near_rows_the_first_counts_whatever_is_rounded(seed):
    rng = np.random.default_rng(seed)
    direction = rng.random(6)
    rows = np.concatenate([np.eye(6)[:2], rng.random((20, 1)) * direction])
    assert nearest_rows(csr_matrix(direction[None]), csr_matrix(rows)).tolist() == [2]


def test_of_a_common_column_only_the_first_rows_meet_newcomers(monkeypatch):
    rows = csr_matrix([[1.0, 1, 0], [1, 2, 0], [1, 0, 0]])
    newcomer = csr_matrix([[1.0, 0, 0]])
    assert nearest_rows(newcomer, rows).tolist() == [2]
    monkeypatch.setattr(nearest, "MOST_ROWS_OF_COLUMN", 2)
    assert nearest_rows(newcomer, rows).tolist() == [0]


@given(st.integers(0, 6), st.lists(st.integers(-1, 5), max_size=6), st.integers(0, 99))
def test_newcomers_stand_right_behind_their_anchors(num_old, anchors, seed):
    index = np.random.default_rng(seed).permutation(num_old)
    anchor = np.array([each if each < num_old else -1 for each in anchors], dtype=np.int64)
    newcomers = np.arange(num_old, num_old + len(anchor))
    expected = []
    for row in [*index.tolist(), -1]:
        expected += [] if row < 0 else [row]
        expected += newcomers[anchor == row].tolist()
    assert placed_behind(index, newcomers, anchor).tolist() == expected
