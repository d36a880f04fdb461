import numpy as np
import torch
from scipy.sparse import csr_matrix

from recsparse.config.rating_models import RatingBayesConfig
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.ratings.gibbs_sampler import (
    gibbs_sweeps,
    sample_normal_wishart,
    spectral_features,
    with_ones,
    without_bias,
)
from recsparse.models.ratings.rating_bayes import RatingBayes
from recsparse.testing import log_of
from tests.models.rating_conformance import PersonalRatingConformance

SMALL = RatingBayesConfig(
    factors=3, noise=0.2, spectral_features=2, burn_in=10, samples=10, thinning=2
)


class TestRatingBayes(PersonalRatingConformance):
    config = SMALL


def test_predictions_are_the_mean_over_the_samples():
    log = log_of(15, 9, seed=2)
    model = RatingBayes(SMALL).fit(log, FitContext(seed=4))
    y = (log.toarray() - log.data.mean()) / log.data.std()
    total = np.zeros(log.shape)
    for sample in range(10):
        items = model.items[sample].numpy().astype(np.float64)
        h = np.hstack([items[:, :3], np.ones((9, 1))])
        mean, precision = model.user_means[sample].numpy(), model.user_precisions[sample].numpy()
        for user in range(15):
            seen = log[user].indices
            left = precision + h[seen].T @ h[seen] / 0.2
            right = precision @ mean + h[seen].T @ (y[user, seen] - items[seen, 3]) / 0.2
            total[user] += h @ np.linalg.solve(left, right) + items[:, 3]
    expected = log.data.mean() + log.data.std() * total / 10
    expected = np.clip(expected, log.data.min(), log.data.max())
    np.testing.assert_allclose(model.score_batch(log), expected, atol=1e-4)


def test_ratings_in_another_unit_give_the_same_predictions_in_it():
    log = log_of(15, 9, seed=2)
    one, other = (RatingBayes(SMALL).fit(log * unit) for unit in (1, 8))
    torch.testing.assert_close(8 * one.score_batch(log), other.score_batch(log * 8))


def test_the_sampler_draws_from_the_posterior_of_a_model_that_it_can_check():
    """With the same prior draws as its own, ratings of a known model are fitted to their noise."""
    rng = np.random.default_rng(0)
    users, items = rng.standard_normal((200, 2)), rng.standard_normal((60, 2))
    truth = users @ items.T / 1.5
    seen = rng.random(truth.shape) < 0.4
    noisy = truth + 0.3 * rng.standard_normal(truth.shape)
    ratings = csr_matrix(np.where(seen, noisy, 0.0))
    features = torch.zeros(60, 1, dtype=torch.float64)
    sweeps = gibbs_sweeps(ratings, features, 2, 1 / 0.3**2, 1.0, np.random.default_rng(1))
    total = np.zeros(60)
    for number in range(60):
        sample = next(sweeps)
        if number >= 20:
            total += (
                sample.items.numpy()
                @ np.linalg.lstsq(sample.items.numpy(), truth[0], rcond=None)[0]
            )
    assert np.sqrt(((total / 40 - truth[0]) ** 2).mean()) < 0.15


def test_features_predict_the_vectors_of_items_that_nobody_rated():
    rng = np.random.default_rng(0)
    feature = rng.standard_normal((60, 1))
    truth = np.sign(rng.standard_normal((80, 1))) * feature.T
    ratings = truth + 0.2 * rng.standard_normal(truth.shape)
    ratings[:, 50:] = 0
    sweeps = gibbs_sweeps(
        csr_matrix(ratings), torch.from_numpy(feature), 1, 1 / 0.2**2, 1.0, np.random.default_rng(1)
    )
    samples = [next(sweeps).items[50:, 0].numpy() for _ in range(30)][10:]
    correlation = [np.corrcoef(sample, feature[50:, 0])[0, 1] for sample in samples]
    assert np.abs(correlation).mean() > 0.8


def test_mean_and_precision_are_those_of_the_vectors():
    rng = np.random.default_rng(3)
    covariance = np.array([[2.0, 0.8], [0.8, 1.0]])
    vectors = rng.multivariate_normal([1.0, -2.0], covariance, size=4_000)
    drawn = [sample_normal_wishart(torch.from_numpy(vectors), rng) for _ in range(300)]
    mean = np.mean([mean.numpy() for mean, _ in drawn], axis=0)
    precision = np.mean([precision.numpy() for _, precision in drawn], axis=0)
    np.testing.assert_allclose(mean, vectors.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(np.linalg.inv(precision), np.cov(vectors.T), atol=0.03)
    spread = np.cov(np.stack([mean.numpy() for mean, _ in drawn]).T) * 4_000
    np.testing.assert_allclose(spread, np.cov(vectors.T), atol=0.4)


def test_spectral_features_are_the_singular_vectors_of_who_rated_what():
    log = log_of(20, 9, seed=6)
    x = (log.toarray() > 0).astype(float)
    per_user, per_item = np.maximum(x.sum(axis=1), 1), np.maximum(x.sum(axis=0), 1)
    _, value, vectors = np.linalg.svd(x / np.sqrt(per_user[:, None] * per_item))
    expected = vectors[:3].T * value[:3]
    expected -= expected.mean(axis=0)
    found = spectral_features(log, 3, seed=0).numpy()
    assert found.shape == (9, 4)
    np.testing.assert_allclose(np.abs(found[:, :3]), np.abs(expected / expected.std()), atol=1e-6)
    number = np.log(per_item)
    np.testing.assert_allclose(found[:, 3], (number - number.mean()) / number.std(), atol=1e-8)


def test_the_deviation_is_the_last_number_of_a_vector():
    vectors = torch.tensor([[2.0, 0.5], [3.0, -1.0]])
    assert with_ones(vectors).tolist() == [[2.0, 1.0], [3.0, 1.0]]
    left = without_bias(csr_matrix([[4.0, 0.0], [1.0, 1.0]]), vectors)
    assert left.toarray().tolist() == [[3.5, 0.0], [0.5, 2.0]]
