"""What features of users count in a blend, and users of few rows or none."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, PopularityConfig, UserRidgeConfig
from recsparse.config.models import BlendConfig
from recsparse.models.blend.user_prior import best_prior_rows, first_rows, with_prior
from recsparse.models.content.user_ridge import UserRidge
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.reasons import contributions_of, rows_of_cells
from recsparse.models.protocol.user_reader import read_of_users, scores_of
from recsparse.models.protocol.validation import Validation
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model

NUM_USERS, NUM_ITEMS = 60, 24
GROUP = np.arange(NUM_USERS) % 3
BLEND = BlendConfig(parts=(EASEConfig(regularisation=1.0), PopularityConfig()))


def features(group):
    return Features.of([("group", "categories", csr_matrix(np.eye(3, dtype=np.float32)[group]))])


def log_of_groups(seed=0):
    """Six of the eight items of each user's group, and one of those that are left."""
    rng = np.random.default_rng(seed)
    rows, left = np.zeros((2, NUM_USERS, NUM_ITEMS), dtype=np.float32)
    for user, group in enumerate(GROUP):
        items = rng.permutation(8) * 3 + group
        rows[user, items[:6]], left[user, items[6]] = 1, 1
    return csr_matrix(rows), csr_matrix(left)


def fitted(config=BLEND, users=None, judged_users=None):
    log, left = log_of_groups()
    users = features(GROUP) if users is None else users
    judge = Validation(log, left, metric="ndcg@5", users=judged_users or users)
    return fit_model(build_model(config), log, FitContext(user_features=users, validation=judge))


def test_the_share_of_the_features_is_that_of_the_formula():
    scores, prior = torch.randn(3, 9), torch.randn(3, 9)
    num_rows = torch.tensor([0.0, 4.0, 12.0])
    mixed = with_prior(scores, prior, num_rows, 4.0)
    for row, share in enumerate([1, (4 / 8) ** 2, (4 / 16) ** 2]):
        own, other = (
            (each[row] - each[row].mean()) / each[row].std(correction=0) for each in (scores, prior)
        )
        torch.testing.assert_close(mixed[row], (1 - share) * own + share * other)
    assert with_prior(scores, prior, num_rows, 0.0) is scores


def test_the_first_rows_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    dense = (rng.random((9, 7)) < 0.5) * rng.integers(1, 9, (9, 7))
    log = csr_matrix(dense.astype(np.float32))
    times = csr_matrix((rng.permutation(log.nnz) + 1, log.indices, log.indptr), shape=log.shape)
    for most in (0, 1, 3, 99):
        left, when = first_rows(log, times, most)
        for user in range(9):
            cells = sorted(range(7), key=lambda item, user=user: times[user, item])
            kept = [item for item in cells if dense[user, item]][:most]
            assert sorted(left[user].indices.tolist()) == sorted(kept)
            assert all(left[user, item] == dense[user, item] for item in kept)
            assert all(when[user, item] == times[user, item] for item in kept)
        without_times, none = first_rows(log, None, most)
        assert none is None
        wanted = np.minimum(np.diff(log.indptr), most)
        assert np.diff(without_times.indptr).tolist() == wanted.tolist()
        assert (without_times > log).nnz == 0


def test_features_count_where_they_help_users_of_few_rows_and_rank_alone_without_any():
    model = fitted()
    assert model.prior_rows > 0
    nothing, known = csr_matrix((3, NUM_ITEMS), dtype=np.float32), features(np.arange(3))
    ridge = UserRidge(UserRidgeConfig()).fit(
        log_of_groups()[0], FitContext(user_features=features(GROUP))
    )
    scores, alone = (scores_of(each, nothing, None, known) for each in (model, ridge))
    assert torch.equal(scores.argsort(dim=1), alone.argsort(dim=1))
    for group, row in enumerate(scores):
        assert {item % 3 for item in row.topk(8).indices.tolist()} == {group}


def test_features_do_not_count_where_they_cost_users_with_all_rows_too_much():
    log, left = log_of_groups()
    users = features(GROUP)
    judge = Validation(log, left, metric="ndcg@5", users=users)
    wanted = torch.from_numpy(left.toarray())

    def by_rows(history, times, users):
        """Scores that are right, but where some rows are missing."""
        is_whole = torch.tensor(np.diff(history.indptr) == 6).all()
        return 10 * wanted if is_whole else torch.zeros_like(wanted)

    def wrong(history, times, users):
        return -wanted * 1000 if history.nnz == log.nnz else wanted

    assert best_prior_rows(by_rows, lambda *given: wanted, judge) > 0
    assert best_prior_rows(by_rows, wrong, judge) < 16


def test_with_it_a_blend_is_saved_settled_and_fitted_again():
    model = fitted()
    log, _ = log_of_groups()
    users = features(GROUP)
    scores = scores_of(model, log, None, users)
    again = type(model).from_state(model.config, model.state())
    assert torch.equal(scores_of(again, log, None, users), scores)
    assert read_of_users(again, users) is not None
    settled = model.settled()
    assert settled.prior_rows == model.prior_rows
    refitted = fit_model(build_model(settled), log, FitContext(user_features=users))
    torch.testing.assert_close(scores_of(refitted, log, None, users), scores)


@pytest.mark.parametrize(
    "config",
    [
        BLEND.model_copy(update={"prior_rows": 0.0}),
        BLEND.model_copy(update={"user_features": ()}),
        BLEND.model_copy(update={"weights": (1.0, 1.0)}),
    ],
    ids=["prior_rows=0", "user_features=[]", "weights"],
)
def test_without_it_users_are_ranked_for_by_rows_alone(config):
    model, (log, _) = fitted(config), log_of_groups()
    assert model.prior is None
    assert not any("prior" in name for name in model.state())
    users = features(GROUP)
    assert read_of_users(model, users) is None
    assert torch.equal(scores_of(model, log, None, users), model.score_batch(log))


def test_reasons_sum_to_scores_in_which_features_count():
    model, (log, _) = fitted(), log_of_groups(seed=1)
    log = csr_matrix(np.vstack([log.toarray()[:20], np.zeros((1, NUM_ITEMS))]), dtype=np.float32)
    users, listed = features(GROUP[:21]), torch.arange(5).repeat(21, 1)
    found = contributions_of(model, log, None, listed, users)
    total = found.rest.clone().index_add_(0, rows_of_cells(log), found.cells)
    scores = scores_of(model, log, None, users).gather(1, listed)
    torch.testing.assert_close(total, scores, rtol=1e-3, atol=1e-4)
    without = contributions_of(model, log, None, listed)
    assert (found.explained <= without.explained + 1e-6).all()
    assert (found.explained[:-1] > 0).any()
    assert not found.explained[-1].any()
