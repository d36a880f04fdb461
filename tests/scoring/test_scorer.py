import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, IALSConfig, PopularityConfig
from recsparse.scoring.scorer import Scorer
from recsparse.scoring.user_rows import RowsInMemory
from recsparse.testing.small_fits import NUM_ITEMS, NUM_USERS, fitted, log_of

CONFIGS = [IALSConfig(factors=4, iterations=2), EASEConfig(), PopularityConfig()]


@pytest.fixture(params=CONFIGS, ids=lambda config: config.kind)
def model(request):
    return fitted(request.param)


def rows_of_log():
    return RowsInMemory(log_of())


def every_pair():
    users, items = np.divmod(np.arange(NUM_USERS * NUM_ITEMS), NUM_ITEMS)
    return users, items


def scores_of_lists(scorer, user_index, **options):
    """All scores, from lists as long as the catalogue; −∞ where an item is in no list."""
    best, values = scorer.best(user_index, NUM_ITEMS, **options)
    found = np.full((len(user_index), NUM_ITEMS + 1), -np.inf, dtype=np.float32)
    np.put_along_axis(found, best.numpy(), values.numpy(), axis=1)
    return found[:, :-1]


def test_pairs_have_the_scores_of_the_lists(model):
    scorer = Scorer(model, rows_of_log())
    lists = scores_of_lists(scorer, np.arange(NUM_USERS), filter_seen=False)
    pairs = scorer.pair_scores(*every_pair()).reshape(NUM_USERS, NUM_ITEMS)
    np.testing.assert_allclose(pairs, lists, rtol=1e-5, atol=1e-6)


def test_lists_have_the_scores_of_the_model_but_for_seen_and_forbidden_items(model):
    allowed = np.arange(NUM_ITEMS) != 2
    found = scores_of_lists(Scorer(model, rows_of_log()), np.arange(NUM_USERS), allowed=allowed)
    has_rows = np.diff(log_of().indptr) > 0
    expected = model.score_batch(log_of()).numpy()
    expected[(log_of().toarray() > 0) | ~allowed] = -np.inf
    np.testing.assert_allclose(found[has_rows], expected[has_rows], rtol=1e-4, atol=1e-5)


def test_users_of_whom_nothing_is_known_are_scored_by_popularity():
    popularity = np.arange(NUM_ITEMS, dtype=np.float32)
    nobody = int(np.flatnonzero(np.diff(log_of().indptr) == 0)[0])
    scorer = Scorer(fitted(CONFIGS[0]), rows_of_log(), popularity=popularity)
    lists = scores_of_lists(scorer, np.array([0, nobody, -1]))
    assert lists[1].tolist() == lists[2].tolist() == popularity.tolist()
    assert lists[0].tolist() != popularity.tolist()
    assert scorer.pair_scores(np.array([nobody]), np.array([3])).tolist() == [3.0]


def test_no_pairs_and_no_users_have_no_scores(model):
    scorer, none = Scorer(model, rows_of_log()), np.zeros(0, dtype=np.int64)
    assert scorer.pair_scores(none, none).shape == (0,)
    assert scorer.best(none, 3)[0].shape == (0, 3)


def test_models_without_rows_to_start_from_list_for_nobody(model):
    scorer = Scorer(model, RowsInMemory(csr_matrix((0, NUM_ITEMS), dtype=np.float32)))
    assert scorer.best(np.array([-1]), 3)[0].shape == (1, 3)
