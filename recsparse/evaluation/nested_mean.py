"""NestedMean: a mean over splits or seeds, with users nested in them, and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

_NAN = float("nan")


@dataclass(frozen=True)
class NestedMean:
    """A mean over splits, each of which counts alike, and how sure it is.

    With n_s users in split s of S, their mean m_s and their variance v_s, and c_st the covariance
    of the figures of those users that two splits share (Searle, Casella and McCulloch 1992,
    "Variance Components", chapter 3):

    - `within`, the mean of v_s, is the variance between the users of a split;
    - `between` is the variance between splits, `var(m) − mean(v_s / n_s) + mean(C_st)`, where
      `C_st = (shared users) · c_st / (n_s · n_t)`; a negative estimate counts as 0;
    - the squared standard error is `between / S + Σ_st C_st / S²`, where C_ss is v_s / n_s.

    Where no user is in two splits and `between` is not cut off, this is the variance of the m_s
    over S. Where all splits have the same users, such as for several seeds, it is larger by the
    variance between users that all seeds share, which more seeds do not make smaller.

    Attributes:
        mean: Mean of the m_s.
        error: Its standard error; NaN for one user alone.
        freedom: Degrees of freedom, by Satterthwaite 1946 (Biometrics Bulletin 2): S − 1 for what
            splits do not share, those of the smallest split for what they do.
        between: Variance between splits; NaN for one split, or where a split has one user.
        within: Variance between the users of a split; NaN where a split has one user.
        num_splits: Splits with any value.
        num_users: Distinct users with a value.
    """

    mean: float
    error: float
    freedom: float
    between: float
    within: float
    num_splits: int
    num_users: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the bounds of an interval of confidence, by Student's t.

        Args:
            level: How sure it is to hold the mean.

        Returns:
            Low and high; NaN where there is no standard error.
        """
        if not self.error > 0:
            return self.mean + self.error, self.mean + self.error
        half = float(student_t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.mean - half, self.mean + half

    def p_value(self) -> float:
        """Return the p-value of the mean being 0, two-sided.

        Returns:
            NaN where there is no standard error; 1 where all values are 0.
        """
        if self.error == 0:
            return float(self.mean == 0)
        return float(2 * student_t.sf(abs(self.mean) / self.error, self.freedom))


def nested_mean(
    values: Sequence[NDArray[np.float64]], users: Sequence[NDArray[np.int64]] | None = None
) -> NestedMean:
    """Return the mean over splits with the error that splits and users give it.

    Args:
        values: For each split, one value per user; NaN is left out.
        users: For each split, the number of each user, from 0 on; a user of several splits has one
            number, and stands once in each. None where no user is in two splits.

    Returns:
        The mean; of nothing it is NaN.

    Example:
        >>> found = nested_mean([np.array([1.0, 3.0]), np.array([5.0, 7.0])])
        >>> found.mean, found.within, found.between
        (4.0, 2.0, 7.0)
    """
    table = _by_user(values, users)
    table = table[:, ~np.isnan(table).all(axis=0)]
    known = ~np.isnan(table)
    size, num_splits = known.sum(axis=0), table.shape[1]
    if num_splits == 0:
        return NestedMean(_NAN, _NAN, _NAN, _NAN, _NAN, 0, 0)
    means = np.nansum(table, axis=0) / size
    covariance = _covariance_of_means(table, known)
    own, mean = np.diag(covariance), float(means.mean())
    counts = num_splits, int(known.any(axis=1).sum())
    within = float((own * size).mean())
    if num_splits == 1:
        freedom = float(size[0] - 1)
        return NestedMean(mean, float(np.sqrt(own[0])), freedom, _NAN, within, *counts)
    shared = max(float(covariance[~np.eye(num_splits, dtype=bool)].mean()), 0.0)
    apart, by_users = float(means.var(ddof=1)), float(own.mean()) - shared
    between = _NAN if np.isnan(by_users) else max(apart - by_users, 0.0)
    # Of splits of one user each, only the means tell how they vary.
    apart = np.fmax(apart, by_users) / num_splits
    freedom = _freedom(apart, shared, num_splits, int(size.min()))
    return NestedMean(mean, float(np.sqrt(apart + shared)), freedom, between, within, *counts)


def _by_user(
    values: Sequence[NDArray[np.float64]], users: Sequence[NDArray[np.int64]] | None
) -> NDArray[np.float64]:
    """Return users × splits, NaN where a user has no value."""
    if users is None:
        ends = np.cumsum([0, *map(len, values)])
        users = [np.arange(*bounds) for bounds in pairwise(ends)]
    num_users = max((int(each.max(initial=-1)) for each in users), default=-1) + 1
    table = np.full((num_users, len(values)), np.nan)
    for split, (some, of) in enumerate(zip(values, users, strict=True)):
        table[of, split] = some
    return table


def _covariance_of_means(
    table: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the covariance that users give the means of two splits, of each two."""
    num_splits, size = table.shape[1], known.sum(axis=0)
    found = np.zeros((num_splits, num_splits))
    for one in range(num_splits):
        for other in range(one + 1):
            both = known[:, one] & known[:, other]
            shared = int(both.sum())
            if shared < 2:
                found[one, other] = np.nan if one == other else 0.0
            else:
                pair = np.cov(table[both][:, [one, other]], rowvar=False)[0, 1]
                found[one, other] = shared * pair / (size[one] * size[other])
            found[other, one] = found[one, other]
    return found


def _freedom(apart: float, shared: float, num_splits: int, least_users: int) -> float:
    """Return the degrees of freedom of a sum of two variances."""
    squares = apart**2 / (num_splits - 1) + shared**2 / max(least_users - 1, 1)
    return (apart + shared) ** 2 / squares if squares > 0 else float("inf")
