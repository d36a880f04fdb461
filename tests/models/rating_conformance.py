"""What every rating model must do, as tests that the test class of each model inherits."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.models.registry import build_model
from recsparse.testing import (
    NUM_ITEMS,
    NUM_USERS,
    RecommenderConformance,
    checkerboard,
    fit,
    fitted,
    log_of,
    score,
)


def rated_checkerboard(low, high):
    """All rate the items of their group high and the others low; some cells are held out."""
    _, same, held_out = checkerboard()
    ratings = np.where(same, high, low).astype(np.float32)
    user, item = np.indices(ratings.shape)
    held_out = held_out | ((user + 3 * item) % 7 == 0)
    return csr_matrix(np.where(held_out, 0, ratings)), ratings, held_out


class RatingConformance(RecommenderConformance):
    """Of models whose scores are ratings."""

    def test_it_says_that_it_predicts_ratings(self):
        assert build_model(self.config).predicts_ratings

    def test_predictions_are_within_the_ratings_of_the_fit(self):
        log = log_of()
        scores = score(fitted(self.config), csr_matrix(log.toarray() * 50))
        assert scores.min() >= log.data.min()
        assert scores.max() <= log.data.max()

    def test_ratings_that_are_all_equal_are_predicted(self):
        log = csr_matrix((log_of().toarray() > 0) * np.float32(4))
        scores = score(fit(build_model(self.config), log), log)
        assert torch.equal(scores, torch.full((NUM_USERS, NUM_ITEMS), 4.0))

    def test_cells_of_weight_zero_teach_nothing(self):
        dense = log_of().toarray()
        every_cell = np.indices(dense.shape).reshape(2, -1)
        with_zeros = csr_matrix((dense.ravel(), every_cell), shape=dense.shape)
        count = int((dense == 0).sum())
        message = f"ratings must be above 0, .*but {count} of {dense.size} are 0"
        with pytest.raises(InputError, match=message):
            fit(build_model(self.config), with_zeros)
        with pytest.raises(InputError, match=message):
            score(fitted(self.config), with_zeros)
        with pytest.raises(InputError, match="at least one interaction, but got none"):
            fit(build_model(self.config), csr_matrix(([0.0], ([0], [0])), shape=(2, 2)))


class PersonalRatingConformance(RatingConformance):
    """Of models that tell the users' tastes apart."""

    def test_it_learns_a_checkerboard_of_ratings(self):
        log, ratings, held_out = rated_checkerboard(2, 8)
        scores = score(fit(build_model(self.config), log), log).numpy()
        assert np.abs(scores - ratings)[held_out].mean() < 1.5

    def test_it_folds_in_users_that_it_never_saw(self):
        log, _, _ = rated_checkerboard(2, 8)
        model = fit(build_model(self.config), log)
        items = np.arange(NUM_ITEMS)
        for group in (0, 1):
            own = items % 2 == group
            row = np.where(items < 6, np.where(own, 8, 2), 0)[None]
            scores = score(model, csr_matrix(row.astype(np.float32))).numpy()[0]
            assert scores[own & (items >= 6)].min() > scores[~own & (items >= 6)].max() + 2
