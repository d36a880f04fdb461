"""The time between events: its classes, and what a network makes of it."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.event_models import SASRecConfig, TimelineConfig
from recsparse.config.training import TrainingConfig
from recsparse.models.histories.sequences import NUM_GAPS, Sequences, gap_classes
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.testing import RecommenderConformance
from recsparse.training.fit import fit_model

SMALL_TRAINING = TrainingConfig(epochs=2, batch_users=8, device="cpu")
TIMELINE = TimelineConfig(channels=8, blocks=2, use_gaps=True, training=SMALL_TRAINING)
SASREC = SASRecConfig(channels=8, blocks=2, use_gaps=True, training=SMALL_TRAINING)


class TestTimelineWithGaps(RecommenderConformance):
    config = TIMELINE


class TestSASRecWithGaps(RecommenderConformance):
    config = SASREC


def history_of(users, num_items):
    """Return a history and its times of lists of (item, time), a user's items in any order."""
    rows = [sorted(events) for events in users]
    row_ptr = np.cumsum([0, *map(len, rows)])
    items, when = (np.array([event[k] for row in rows for event in row], int) for k in (0, 1))
    shape = len(users), num_items
    return (
        csr_matrix((np.ones(len(items), np.float32), items, row_ptr), shape=shape),
        csr_matrix((when, items, row_ptr), shape=shape),
    )


def test_classes_are_powers_of_two_of_seconds():
    when = np.array([7, 7, 8, 10, 13, 17, 17 + 2**31, 17 + 2**40, 5, -3, 2**31 - 4])
    row_ptr = np.array([0, 8, 8, 9, 11])
    assert gap_classes(when, row_ptr).tolist() == [0, 1, 2, 3, 3, 4, 33, 33, 0, 0, 32]
    assert NUM_GAPS == 34


def test_what_has_no_time_is_ages_before_what_has_one():
    unknown = np.iinfo(np.int64).min
    when = np.array([unknown, unknown, -4, 0, unknown, 2**62])
    assert gap_classes(when, np.array([0, 4, 6])).tolist() == [0, 1, 33, 4, 0, 33]


def test_no_events_have_no_classes():
    assert gap_classes(np.zeros(0), np.zeros(4, int)).tolist() == []


users = st.lists(
    st.dictionaries(st.integers(0, 5), st.integers(0, 2**34), max_size=6).map(
        lambda events: [*events.items()]
    ),
    min_size=1,
    max_size=4,
)


@given(users, st.none() | st.integers(1, 3))
def test_each_event_keeps_the_gap_to_the_event_before_whatever_is_cut_off(users, most):
    found = Sequences.of(*history_of(users, 6), most)
    expected = []
    for events in users:
        when = sorted(time for _, time in events)
        gaps = [later - earlier for earlier, later in itertools.pairwise(when)]
        classes = [min(gap.bit_length() + 1, NUM_GAPS - 1) for gap in gaps]
        whole = [0, *classes][: len(events)]
        expected += whole if most is None else whole[-most:]
    assert found.gaps.tolist() == expected


@pytest.mark.parametrize("config", [TIMELINE, SASREC], ids=lambda config: config.kind)
def test_a_network_can_tell_a_pause_from_none(config):
    """After items 0 and 1 in one go comes 2, after a day between them comes 3."""
    quick, slow = [(0, 0), (1, 10), (2, 20)], [(0, 0), (1, 86_400), (3, 86_410)]
    log, times = history_of([quick, slow] * 40, 8)
    training = TrainingConfig(epochs=30, batch_users=16, learning_rate=1e-2, device="cpu")
    both = [[(0, 0), (1, 10)], [(0, 0), (1, 86_400)]]
    best = {}
    for use_gaps in (True, False):
        own = {"use_gaps": use_gaps, "dropout": 0.0, "training": training}
        model = build_model(config.model_copy(update=own))
        fit_model(model, log, FitContext(TrainingConfig(), times=times))
        scores = model.score_batch(*history_of(both, 8))
        best[use_gaps] = scores.argmax(dim=1).tolist()
        assert torch.equal(scores[0], scores[1]) is not use_gaps
    assert best[True] == [2, 3]
    assert best[False] in ([2, 2], [3, 3])
