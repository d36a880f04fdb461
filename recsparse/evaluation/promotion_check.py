"""One condition of a promotion, and the test behind it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t


@dataclass(frozen=True)
class Check:
    """One condition of a promotion.

    Attributes:
        kind: What it is about.
        metric: The figure that is compared.
        candidate: The figure of the candidate.
        champion: That of the champion.
        p: Of a test; None where none is made.
        passed: Whether the condition holds.
        reason: The same as a clause.
    """

    kind: Literal["users", "rule", "guard", "slice"]
    metric: str
    candidate: float
    champion: float
    p: float | None
    passed: bool
    reason: str


def one_sided_p(difference: NDArray[np.float64]) -> float:
    """Return the p-value of a t-test of a mean that may be above 0.

    Args:
        difference: One value a user, at least two.

    Returns:
        The chance of such a mean or a greater one, were the true one 0; 1 where all are 0.

    Example:
        >>> one_sided_p(np.array([1.0, -1.0]))
        0.5
    """
    mean = difference.mean()
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    if error == 0:
        return 0.0 if mean > 0 else 1.0
    return float(student_t.sf(mean / error, df=len(difference) - 1))


def share_text(share: float) -> str:
    """Return a share as people read it.

    Args:
        share: From 0 to 1.

    Returns:
        Percent.

    Example:
        >>> share_text(0.125)
        '12.5 %'
    """
    return f"{100 * share:.3g} %"
