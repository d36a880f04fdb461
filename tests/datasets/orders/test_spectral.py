import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from recsparse.datasets.orders import spectral
from recsparse.datasets.orders.spectral import fiedler_order


def band_of_rows(num_rows, width, shuffle=None):
    """Row r has the columns r … r + width − 1: its right order is known, up to its direction."""
    rows = np.arange(num_rows) if shuffle is None else shuffle
    dense = np.zeros((num_rows, num_rows + width))
    for place, row in enumerate(rows):
        dense[place, row : row + width] = 1.0
    return csr_matrix(dense)


def normalised_laplacian(dense):
    """Built entry by entry from the definition, sharing no code with the module."""
    num_rows, num_columns = dense.shape
    similarity = np.zeros((num_rows, num_rows))
    for column in range(num_columns):
        for u in range(num_rows):
            for v in range(num_rows):
                if dense[:, column].sum() > 0:
                    shared = dense[u, column] * dense[v, column] / dense[:, column].sum()
                    similarity[u, v] += shared
    degree = similarity.sum(axis=1)
    return np.eye(num_rows) - similarity / np.sqrt(np.outer(degree, degree)), degree


def connected_matrix(num_rows, num_columns, seed):
    dense = random_array((num_rows, num_columns), density=0.2, rng=seed).toarray()
    dense[:, 0] = np.linspace(0.1, 1.0, num_rows)  # one column that all rows share
    return dense


@pytest.mark.parametrize("dense_rows", [0, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_that_of_the_fiedler_vector(seed, dense_rows, monkeypatch):
    monkeypatch.setattr(spectral, "DENSE_ROWS", dense_rows)
    dense = connected_matrix(20, 12, seed)
    laplacian, degree = normalised_laplacian(dense)
    values, vectors = np.linalg.eigh(laplacian)
    assert values[0] == pytest.approx(0, abs=1e-9)
    fiedler = vectors[:, 1] / np.sqrt(degree)
    steps = np.diff(fiedler[fiedler_order(csr_matrix(dense))])
    # Rows with the same columns are a tie, but for rounding errors.
    tie = 1e-6 * np.abs(fiedler).max()
    assert (steps > -tie).all() or (steps < tie).all()


@pytest.mark.parametrize("num_rows", [40, spectral.DENSE_ROWS + 44])
def test_a_shuffled_band_is_put_in_order(num_rows):
    shuffle = np.random.default_rng(1).permutation(num_rows)
    order = fiedler_order(band_of_rows(num_rows, 12, shuffle))
    steps = np.abs(np.diff(shuffle[order]))
    assert steps.tolist() == [1] * (num_rows - 1)


@pytest.mark.parametrize("dense_rows", [0, 1000])
def test_two_groups_with_a_weak_bridge_stay_together(dense_rows, monkeypatch):
    monkeypatch.setattr(spectral, "DENSE_ROWS", dense_rows)
    rng = np.random.default_rng(0)
    group = rng.permutation(60) % 2
    dense = (rng.random((60, 40)) < 0.3) * (group[:, None] == np.arange(40) % 2)
    dense = dense.astype(float)
    dense[0, :] = 0.05
    ordered = group[[row for row in fiedler_order(csr_matrix(dense)) if row != 0]]
    assert np.abs(np.diff(ordered)).sum() == 1


def test_components_follow_one_another_the_largest_first():
    dense = np.zeros((7, 3))
    dense[[1, 4], 0] = 1.0
    dense[[0, 2, 5], 1] = 1.0
    dense[3, 2] = 1.0
    assert fiedler_order(csr_matrix(dense)).tolist() == [0, 2, 5, 1, 4, 3, 6]


@pytest.mark.parametrize("num_rows", [0, 1, 2, 3, 300])
def test_rows_that_are_alike_keep_their_order(num_rows):
    same = csr_matrix(np.tile([1.0, 2.0], (num_rows, 1)))
    assert fiedler_order(same).tolist() == list(range(num_rows))


def test_equal_rows_become_neighbours_in_the_order_of_their_index():
    dense = np.random.default_rng(0).random((10, 8))
    order = fiedler_order(csr_matrix(np.concatenate([dense, dense]))).tolist()
    for row in range(10):
        assert order.index(row + 10) == order.index(row) + 1


@given(
    num_rows=st.integers(0, 12),
    num_columns=st.integers(0, 8),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
    dense_rows=st.sampled_from([2, 1000]),
)
def test_every_row_comes_once_and_always_in_the_same_place(
    num_rows, num_columns, density, seed, dense_rows
):
    matrix = csr_matrix(random_array((num_rows, num_columns), density=density, rng=seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectral, "DENSE_ROWS", dense_rows)
        order = fiedler_order(matrix, seed=1)
        assert sorted(order.tolist()) == list(range(num_rows))
        assert fiedler_order(matrix, seed=1).tolist() == order.tolist()


def test_thirty_thousand_rows_are_ordered_without_a_square_matrix():
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(30_000), 3)
    columns = (rows // 300 + rng.integers(0, 30, rows.size)) % 130
    matrix = csr_matrix((np.ones(rows.size), (rows, columns)), shape=(30_000, 130))
    assert len(fiedler_order(matrix)) == 30_000


def test_a_very_long_chain_is_ordered_approximately_with_a_warning(caplog, monkeypatch):
    monkeypatch.setattr(spectral, "RESTARTS", 2)
    shuffle = np.random.default_rng(1).permutation(1500)
    order = fiedler_order(band_of_rows(1500, 2, shuffle))
    assert "approximate" in caplog.text
    # Random neighbours would be 500 rows apart.
    assert np.abs(np.diff(shuffle[order])).mean() < 20
