import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig
from recsparse.errors import InputError
from recsparse.models.histories.recency_weights import recency_weighted
from recsparse.models.linear.ease import EASE
from recsparse.testing import log_of

cells = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.integers(1, 4), st.integers(-3, 3)),
    max_size=20,
)


def matrices(cells):
    """Return a history and its times; a cell of time 0 is stored, too."""
    keys = sorted(cells)
    row, item = (np.array([key[place] for key in keys], dtype=int) for place in (0, 1))
    weight = np.array([cells[key][0] for key in keys], dtype=np.float32)
    time = np.array([cells[key][1] for key in keys], dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=4))])
    return (csr_matrix((data, item, indptr), shape=(4, 6)) for data in (weight, time))


@given(cells, st.sampled_from([1.0, 0.5, 0.9]), st.sampled_from([0.0, 0.25]))
def test_each_event_weighs_by_the_number_of_later_ones(cells, decay, floor):
    history, times = matrices(cells)
    found = recency_weighted(history, times, decay, floor).toarray()
    expected = np.zeros((4, 6))
    for user in range(4):
        events = sorted(
            (time, item, weight) for (u, item), (weight, time) in cells.items() if u == user
        )
        for later, (_, item, weight) in enumerate(reversed(events)):
            expected[user, item] = weight * (floor + (1 - floor) * decay**later)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_ease_scores_the_weighted_history():
    log = log_of()
    times = csr_matrix((np.arange(log.nnz)[::-1], log.indices, log.indptr), shape=log.shape)
    model = EASE(EASEConfig(recency_decay=0.5, recency_floor=0.1)).fit(log)
    plain = EASE(EASEConfig()).fit(log)
    expected = plain.score_batch(recency_weighted(log, times, 0.5, 0.1))
    assert torch.equal(model.score_batch(log, times), expected)
    assert not torch.equal(model.score_batch(log, times), plain.score_batch(log, times))


def test_recency_without_times_is_refused():
    log = log_of()
    model = EASE(EASEConfig(recency_decay=0.5)).fit(log)
    with pytest.raises(InputError, match="needs the time of each interaction, but the history has"):
        model.score_batch(log)
    empty = csr_matrix((2, log.shape[1]))
    assert model.score_batch(empty).tolist() == [[0.0] * log.shape[1]] * 2


def test_times_of_other_cells_are_refused():
    history, times = matrices({(0, 1): (1, 5), (2, 3): (1, 6)})
    with pytest.raises(
        InputError, match=r"cells of the history, but has 2 in .* and the history 1"
    ):
        recency_weighted(history[[0]], times, 0.5)
