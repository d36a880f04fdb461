"""The Gram matrix of windows along time, and EASE on it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig
from recsparse.errors import InputError
from recsparse.models.histories.sequences import UNKNOWN_TIME
from recsparse.models.histories.window_gram import window_gram
from recsparse.models.linear.ease import EASE
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.testing import TRAINING, RecommenderConformance, log_of, times_of
from recsparse.training.fit import fit_model

NUM_USERS, NUM_ITEMS = 3, 5
cells = st.dictionaries(
    st.tuples(st.integers(0, NUM_USERS - 1), st.integers(0, NUM_ITEMS - 1)),
    st.tuples(st.integers(1, 3), st.integers(-2, 4) | st.just(UNKNOWN_TIME)),
    max_size=15,
)


class TestEASEOfWindows(RecommenderConformance):
    config = EASEConfig(regularisation=2.0, window_events=3)


def matrices(cells):
    """Return a history of weights and its times."""
    keys = sorted(cells)
    row, item = (np.array([key[k] for key in keys], dtype=int) for k in (0, 1))
    row_ptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=NUM_USERS))])
    weight, when = (np.array([cells[key][k] for key in keys], np.int64) for k in (0, 1))
    shape = NUM_USERS, NUM_ITEMS
    history = csr_matrix((weight.astype(np.float32), item, row_ptr), shape=shape)
    return history, csr_matrix((when, item, row_ptr), shape=shape)


def windows_one_by_one(cells, events):
    """Every window as a row, those that hang over either end of a user's events as well."""
    rows = []
    for user in range(NUM_USERS):
        mine = sorted((when, i, w) for (u, i), (w, when) in cells.items() if u == user)
        unknown = [[event] for event in mine if event[0] == UNKNOWN_TIME] * events
        known = [event for event in mine if event[0] != UNKNOWN_TIME]
        ends = range(1, len(known) + events)
        for window in [known[max(0, end - events) : end] for end in ends] + unknown:
            row = np.zeros(NUM_ITEMS)
            for _, item, weight in window:
                row[item] += weight
            rows.append(row)
    stacked = np.array(rows).reshape(-1, NUM_ITEMS)
    return stacked.T @ stacked / events


@given(cells, st.integers(1, 9))
def test_it_is_the_gram_matrix_of_all_windows(cells, events):
    found = window_gram(*matrices(cells), events)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, windows_one_by_one(cells, events), atol=1e-9)


def test_ease_of_windows_as_long_as_any_history_comes_near_ease_of_rows():
    log = log_of()
    times = times_of(log)
    windowed = EASE(EASEConfig(window_events=100_000)).fit(log, FitContext(times=times))
    torch.testing.assert_close(
        windowed.weights, EASE(EASEConfig()).fit(log).weights, rtol=1e-3, atol=1e-5
    )


def test_items_that_are_close_in_time_count_for_each_other_more():
    """Everyone has all items; 0 is always next to 1, now and then to 3, and never to 2."""
    history = csr_matrix(np.ones((40, 4), np.float32))
    # Places of the items 0, 1, 2, 3 in the order of time.
    places = np.repeat([[1, 2, 3, 4], [2, 1, 4, 3]], 20, axis=0)
    config = EASEConfig(regularisation=1.0, window_events=2)
    weights = EASE(config).fit(history, FitContext(times=csr_matrix(places))).weights
    assert weights[0, 1] > weights[0, 3] > weights[0, 2]
    rows = EASE(EASEConfig(regularisation=1.0)).fit(history).weights
    assert rows[0, 1].item() == pytest.approx(rows[0, 2].item(), rel=1e-4)


def test_windows_without_times_are_refused():
    model = build_model(EASEConfig(window_events=4))
    with pytest.raises(InputError, match=r"needs the time of each interaction.* model\.kind"):
        fit_model(model, log_of(), FitContext(TRAINING))
