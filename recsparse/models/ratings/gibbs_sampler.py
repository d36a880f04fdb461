"""The Gibbs sampler of Bayesian factors of ratings, with features of the items."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix, diags_array
from torch import Tensor

from recsparse.models.ratings.rating_model import with_values
from recsparse.models.ratings.row_posteriors import row_posteriors

_POWER_ITERATIONS = 6
# Spread of the first vectors; any that is not zero gives the same distribution in the end.
_START = 0.1


@dataclass(frozen=True, eq=False)
class FactorSample:
    """One state of the sampler: what predictions need of it.

    Attributes:
        items: Items × (factors + 1), the last column is an item's own deviation.
        user_mean: Mean of the users' vectors, whose last number is a user's own deviation.
        user_precision: Their precision.
    """

    items: Float[Tensor, "m d"]
    user_mean: Float[Tensor, " d"]
    user_precision: Float[Tensor, "d d"]


def gibbs_sweeps(
    ratings: csr_matrix,
    features: Float[Tensor, "m f"],
    factors: int,
    noise_precision: float,
    feature_precision: float,
    rng: np.random.Generator,
) -> Iterator[FactorSample]:
    """Sample from the posterior of a factorisation, without end.

    `y_ui = p_u q_i + b_u + c_i + noise`. The vectors `(p_u, b_u)` are normal with a mean and a
    precision that have Normal-Wishart priors (Salakhutdinov and Mnih 2008,
    https://doi.org/10.1145/1390156.1390267, section 3), as are those of the items, around
    `B^T f_i`, a prediction from the item's features with sampled weights (Simm et al. 2017,
    https://doi.org/10.1109/MLSP.2017.8168143, section 3).

    Args:
        ratings: Users × items, of mean 0 and variance about 1.
        features: One row per item.
        factors: Length of the vectors, without the deviation.
        noise_precision: One over the variance of the noise, which is not sampled: samples of it
            drift to too little noise.
        feature_precision: Precision of the weights `B` relative to that of the vectors.
        rng: Of all that is drawn.

    Yields:
        The state after each sweep over users and items.
    """
    (num_users, num_items), width = ratings.shape, factors + 1
    items = _START * _normal(rng, num_items, width)
    users = _START * _normal(rng, num_users, width)
    items[:, factors] = users[:, factors] = 0.0
    weights = items.new_zeros(features.shape[1], width)
    by_item = csr_matrix(ratings.T)
    while True:
        mean, precision = sample_normal_wishart(items - features @ weights, rng)
        weights = _sample_weights(features, items - mean, precision, feature_precision, rng)
        items = _sample_vectors(
            by_item, users, mean + features @ weights, precision, noise_precision, rng
        )
        user_mean, user_precision = sample_normal_wishart(users, rng)
        users = _sample_vectors(
            ratings, items, user_mean.unsqueeze(0), user_precision, noise_precision, rng
        )
        yield FactorSample(items, user_mean, user_precision)


def with_ones(vectors: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
    """Return vectors with 1 in the place of their deviation: what the other side's is times.

    Args:
        vectors: Their last column is the deviation.

    Returns:
        A copy.
    """
    return torch.cat([vectors[:, :-1], torch.ones_like(vectors[:, -1:])], dim=1)


def without_bias(rows: csr_matrix, columns: Float[Tensor, "m d"]) -> csr_matrix:
    """Return cells less the deviation of their column.

    Args:
        rows: The cells.
        columns: One vector per column; the last number is its deviation.

    Returns:
        float64, the same cells.
    """
    return with_values(rows, rows.data - columns[:, -1].numpy()[rows.indices])


def sample_normal_wishart(
    vectors: Float[Tensor, "n d"], rng: np.random.Generator
) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Sample mean and precision of normal vectors (Salakhutdinov and Mnih 2008, eq. 14).

    The prior is `precision ~ Wishart(I, d + 1)`, `mean ~ N(0, (2 precision)^-1)`.

    Args:
        vectors: The vectors.
        rng: Of what is drawn.

    Returns:
        The mean and the precision.
    """
    x = vectors.numpy()
    (count, width), weight = x.shape, 2.0
    centre = x.mean(axis=0)
    centred = x - centre
    scatter = np.eye(width) + centred.T @ centred
    scatter += weight * count / (weight + count) * np.outer(centre, centre)
    # Bartlett's decomposition; the inverse of the scatter's factor brings the scale.
    lower = np.tril(rng.standard_normal((width, width)), -1)
    freedom = width + 1 + count - np.arange(width)
    lower[np.diag_indices(width)] = np.sqrt(rng.chisquare(freedom))
    scaled = np.linalg.solve(np.linalg.cholesky(scatter).T, lower)
    precision = scaled @ scaled.T
    above = np.linalg.cholesky((weight + count) * precision).T
    mean = count / (weight + count) * centre
    mean = mean + np.linalg.solve(above, rng.standard_normal(width))
    return torch.from_numpy(mean), torch.from_numpy(precision)


def spectral_features(ratings: csr_matrix, rank: int, seed: int) -> Float[Tensor, "m f"]:
    """Return features of the items from who rated them, whatever the rating was.

    The right singular vectors of `n_u^-1/2 x n_i^-1/2`, each times its singular value, where `x` is
    1 in every cell; and the logarithm of the item's number of ratings.

    Args:
        ratings: Users × items.
        rank: Number of singular vectors, at most that of the matrix.
        seed: Of the randomised decomposition.

    Returns:
        Of mean 0; the singular vectors of variance 1 all together, and the logarithm alone.
    """
    seen = with_values(ratings, np.ones(ratings.nnz))
    # Imported here: it takes longer than to score with a model that is fitted.
    from sklearn.utils.extmath import randomized_svd

    per_user, per_item = (np.maximum(seen.getnnz(axis=axis), 1) for axis in (1, 0))
    scaled = csr_matrix(diags_array(per_user**-0.5) @ seen @ diags_array(per_item**-0.5))
    rank = min(rank, *ratings.shape)
    _, value, vectors = randomized_svd(scaled, rank, n_iter=_POWER_ITERATIONS, random_state=seed)
    parts = (vectors.T * value, np.log(per_item)[:, None])
    centred = [part - part.mean(axis=0) for part in parts]
    scaled_parts = [part / max(float(part.std()), 1e-12) for part in centred]
    return torch.from_numpy(np.concatenate(scaled_parts, axis=1))


def _sample_weights(
    features: Tensor,
    vectors: Tensor,
    precision: Tensor,
    feature_precision: float,
    rng: np.random.Generator,
) -> Float[Tensor, "f d"]:
    """Sample the weights of a regression from noisy right sides (Simm et al. 2017, eq. 5)."""
    (num_items, num_features), width = features.shape, vectors.shape[1]
    left = features.T @ features
    left.diagonal().add_(feature_precision)
    above = torch.linalg.cholesky(precision).T
    noise = _normal(rng, num_items + num_features, width)
    noise = torch.linalg.solve_triangular(above, noise.T, upper=True).T
    right = features.T @ (vectors + noise[:num_items])
    right += feature_precision**0.5 * noise[num_items:]
    return torch.linalg.solve(left, right)


def _sample_vectors(
    rows: csr_matrix,
    columns: Tensor,
    mean: Tensor,
    precision: Tensor,
    noise_precision: float,
    rng: np.random.Generator,
) -> Float[Tensor, "n d"]:
    noise = _normal(rng, rows.shape[0], len(precision))
    left = without_bias(rows, columns)
    return row_posteriors(left, with_ones(columns), mean, precision, noise_precision, noise)


def _normal(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape))
