from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.datasets.indexed_rows import NO_TIME
from recsparse.errors import InputError
from recsparse.models.histories.sequences import UNKNOWN_TIME, Sequences
from tests.models.event_logs import matrices_of

NUM_USERS, NUM_ITEMS = 4, 6
cells = st.dictionaries(
    st.tuples(st.integers(0, NUM_USERS - 1), st.integers(0, NUM_ITEMS - 1)),
    st.tuples(st.integers(0, 4), st.integers(-3, 3)),
    max_size=20,
)


def matrices(cells):
    """Return a history and its times; cells of weight 0 and of time 0 are stored, too."""
    keys = sorted(cells)
    row, item = (np.array([key[place] for key in keys], dtype=int) for place in (0, 1))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=NUM_USERS))])
    weight, time = (np.array([cells[key][place] for key in keys]) for place in (0, 1))
    shape = NUM_USERS, NUM_ITEMS
    history = csr_matrix((weight.astype(np.float32), item, indptr), shape=shape)
    return history, csr_matrix((time.astype(np.int64), item, indptr), shape=shape)


def lists(sequences):
    """Return each user's events as a list of (item, weight)."""
    pairs = list(zip(sequences.items.tolist(), sequences.weights.tolist(), strict=True))
    ends = sequences.row_ptr.tolist()
    return [pairs[start:end] for start, end in pairwise(ends)]


@given(cells, st.none() | st.integers(1, 4))
def test_events_are_in_the_order_of_time_then_item(cells, most):
    frame = pd.DataFrame(
        [(user, item, weight, time) for (user, item), (weight, time) in cells.items()],
        columns=["user", "item", "weight", "time"],
    ).sort_values(["user", "time", "item"])
    expected = [
        [(item, float(weight)) for item, weight in rows[["item", "weight"]].values.tolist()]
        for rows in (frame[frame["user"] == user] for user in range(NUM_USERS))
    ]
    kept = expected if most is None else [events[-most:] for events in expected]
    assert lists(Sequences.of(*matrices(cells), most)) == kept


@given(cells, st.lists(st.integers(0, NUM_USERS - 1), max_size=5))
def test_users_are_taken_in_any_order_and_more_than_once(cells, rows):
    whole = Sequences.of(*matrices(cells))
    assert lists(whole.take(rows)) == [lists(whole)[row] for row in rows]


@given(cells)
def test_what_is_known_and_what_follows_are_one_event_apart(cells):
    whole = Sequences.of(*matrices(cells))
    assert lists(whole.without_last()) == [events[:-1] for events in lists(whole)]
    assert lists(whole.without_first()) == [events[1:] for events in lists(whole)]


@given(cells)
def test_events_are_cells_of_users_and_positions(cells):
    sequences = Sequences.of(*matrices(cells))
    items, gaps, grid = sequences.events()
    expected = [
        [0, user, position]
        for user, events in enumerate(lists(sequences))
        for position, _ in enumerate(events)
    ]
    assert grid.coords.tolist() == expected
    assert grid.spatial_shape == (NUM_USERS, max([len(e) for e in lists(sequences)] + [1]))
    assert items.tolist() == sequences.items.tolist()
    assert gaps.tolist() == sequences.gaps.tolist()
    assert len(sequences) == NUM_USERS


def test_the_unknown_time_is_the_one_that_datasets_write():
    assert UNKNOWN_TIME == NO_TIME


def test_a_history_without_times_is_refused_unless_it_is_empty():
    history, _ = matrices_of([[0, 1]], 3)
    with pytest.raises(InputError, match=r"prepare a log with log\.timestamp_column, or choose"):
        Sequences.of(history, None)
    assert lists(Sequences.of(csr_matrix((2, 3)), None)) == [[], []]


def test_times_of_other_users_are_refused():
    history, times = matrices_of([[0, 1], [2]], 3)
    with pytest.raises(InputError, match=r"the cells of the history, but has 3 in \(2, 3\)"):
        Sequences.of(history[[0]], times)
