import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import NextItemRidgeConfig
from recsparse.config.toml_reader import parse_config
from recsparse.errors import InputError
from recsparse.models.histories.sequences import UNKNOWN_TIME
from recsparse.models.linear.next_item_ridge import NextItemRidge, decayed_moments
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.testing import TRAINING, RecommenderConformance, fitted, log_of, times_of
from recsparse.training.fit import fit_model
from tests.models.event_logs import matrices_of, walks
from tests.models.histories.test_window_gram import NUM_ITEMS, NUM_USERS, cells, matrices

SMALL = NextItemRidgeConfig(regularisation=2.0)
# A history that has faded to this changes nothing.
LONG = 200


class TestNextItemRidge(RecommenderConformance):
    config = SMALL


class TestNextItemRidgeOfOneDecay(RecommenderConformance):
    config = SMALL.model_copy(update={"decays": (0.7,), "popularity_discount": 0.0})


def event_by_event(cells, decays):
    """Features after every event and long after the last, and the event that follows."""
    features, following = [], []
    for user in range(NUM_USERS):
        mine = sorted((when, i, w) for (u, i), (w, when) in cells.items() if u == user)
        alone = [[event] for event in mine if event[0] == UNKNOWN_TIME]
        for events in [*alone, [event for event in mine if event[0] != UNKNOWN_TIME]]:
            left = np.zeros((len(decays), NUM_ITEMS))
            for place in range(len(events) + LONG):
                left *= np.array(decays)[:, None]
                target = np.zeros(NUM_ITEMS)
                if place < len(events):
                    left[:, events[place][1]] += events[place][2]
                if place + 1 < len(events):
                    target[events[place + 1][1]] = events[place + 1][2]
                features.append(left.ravel().copy())
                following.append(target)
    features = np.array(features).reshape(-1, len(decays) * NUM_ITEMS)
    return features, np.array(following).reshape(-1, NUM_ITEMS)


@given(cells, st.lists(st.sampled_from([0.2, 0.5, 0.9]), min_size=1, max_size=3, unique=True))
def test_the_moments_are_those_of_the_features_after_every_event(cells, decays):
    gram, cross = decayed_moments(*matrices(cells), decays)
    features, following = event_by_event(cells, decays)
    np.testing.assert_allclose(gram, features.T @ features, atol=1e-6)
    np.testing.assert_allclose(cross, following.T @ features, atol=1e-6)


def test_the_weights_are_those_of_a_regression():
    cells = {(0, 0): (1, 1), (0, 1): (1, 2), (0, 3): (2, 3), (1, 1): (1, 5), (1, 4): (1, 6)}
    config = NextItemRidgeConfig(decays=(0.5, 0.8), regularisation=3.0, popularity_exponent=0.0)
    history, times = matrices(cells)
    model = NextItemRidge(config).fit(history, FitContext(times=times))
    features, following = event_by_event(cells, config.decays)
    penalty = 3.0 * np.repeat([1 / (1 - 0.25), 1 / (1 - 0.64)], NUM_ITEMS)
    # A ridge term is the same as one more row a feature, with the root of its penalty.
    rows = np.concatenate([features, np.diag(np.sqrt(penalty))])
    targets = np.concatenate([following, np.zeros((len(penalty), NUM_ITEMS))])
    expected = np.linalg.lstsq(rows, targets, rcond=None)[0]
    np.testing.assert_allclose(model.weights.reshape(-1, NUM_ITEMS), expected, atol=1e-6)


def test_far_events_are_let_go_where_little_is_left_of_them():
    # Of 2,000 events that follow each other 0.5^1999 is left.
    length = 2_000
    history, times = matrices_of([[*range(length)]], length)
    _, cross = decayed_moments(history, times, [0.5])
    assert cross[-1, length - 2] == 1
    assert cross[-1, length - 5] == pytest.approx(0.5**3)
    assert np.count_nonzero(cross[-1]) < 20


def test_it_learns_an_order_that_a_sum_over_the_history_cannot_see():
    num_items = 20
    log, times = matrices_of(walks(200, num_items, 6), num_items)
    model = NextItemRidge(SMALL).fit(log, FitContext(times=times))
    forwards, backwards = [4, 5, 6, 7], [7, 6, 5, 4]
    best = model.score_batch(*matrices_of([forwards, backwards], num_items)).argmax(dim=1)
    assert best.tolist() == [8, 5]


def test_popularity_is_divided_out():
    log, times = log_of(), times_of(log_of())
    plain = fitted(SMALL.model_copy(update={"popularity_discount": 0.0}))
    scores = plain.score_batch(log, times)
    count = torch.from_numpy(log.getnnz(axis=0)).float().clamp(min=1)
    halved = plain.with_settings(SMALL.model_copy(update={"popularity_discount": 0.5}))
    torch.testing.assert_close(halved.score_batch(log, times), scores / count.sqrt())


def test_times_are_needed():
    with pytest.raises(InputError, match=r"needs the time of each interaction.* model\.kind"):
        fit_model(build_model(SMALL), log_of(), FitContext(TRAINING))


def test_a_catalogue_that_is_too_large_is_refused_with_the_memory_that_it_needs():
    model = build_model(NextItemRidgeConfig(most_items=9_999))
    with pytest.raises(
        InputError, match=r"has 10000, for which it needs 5\.6 GB; choose .*timeline"
    ):
        model.fit(csr_matrix((np.ones(1), ([0], [0])), shape=(1, 10_000)))


@pytest.mark.parametrize("decays", [[], [1.0], [0.5, 0.0]])
def test_decays_that_do_not_fade_are_refused(decays):
    with pytest.raises(InputError, match="decays must be one or more factors between 0 and 1"):
        parse_config({"model": {"kind": "next_item_ridge", "decays": decays}})
