"""Where new items stand among the known ones: found on items that were held out of training."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix, hstack
from torch import Tensor

from recsparse.metrics.chosen_metrics import ChosenMetrics
from recsparse.metrics.top_k import mask_seen, top_k
from recsparse.models.blend.weights import weights_of_scores
from recsparse.models.content.placement import Placement
from recsparse.models.protocol.validation import Validation

_SLOPES = (
    0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0,
)  # fmt: skip
_SHIFTS = tuple(np.arange(-3.0, 5.05, 0.1).tolist())


@dataclass(frozen=True, eq=False)
class Evidence:
    """Users for whom known and held out items were scored.

    Attributes:
        known_best: Each user's best known items that the user has not seen.
        known_scores: Their scores, in the user's deviations over the known items.
        known_targets: Users × known items, what is wanted.
        new_scores: Of each reader, users × held out items, in its deviations; −inf where seen.
        new_targets: Users × held out items, what is wanted.
        others: Likewise the scores of the items that are to be ranked, of which none is wanted:
            they show what known targets lose; None where there are none yet.
    """

    known_best: Int[Tensor, "b k"]
    known_scores: Float[Tensor, "b k"]
    known_targets: csr_matrix
    new_scores: Sequence[Float[Tensor, "b n"]]
    new_targets: csr_matrix
    others: Sequence[Float[Tensor, "b o"]] | None = None


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        weights: Of the readers.
        placement: Where new items stand.
        figures: The metric over all targets without new items and with them, that of known targets
            alone likewise, and the number of users and of targets that are new.
    """

    weights: list[float]
    placement: Placement
    figures: dict[str, float]


def find_placement(evidence: Evidence, metric: str, most_lost: float) -> Found:
    """Find the weights of readers, then the placement that ranks all targets best in one list.

    Readers are weighed by how they rank the held out items among themselves. Of all placements that
    cost the known targets no more than they may lose, the best over targets of both kinds is taken;
    where none is better than no new items at all, new items stand behind the known ones.

    Args:
        evidence: Users and scores.
        metric: Of a list, as in `ndcg@10`.
        most_lost: The share of the metric over known targets that may be lost.

    Returns:
        What was found. Without targets of known items, nothing says where new items stand: the
        placement is the default one then.
    """
    weights = _weights(evidence, metric)
    merged = _Merged(evidence, weights, metric)
    known, both = merged.without_new()
    figures = {
        "users": float(len(evidence.known_best)),
        "new_targets": float(evidence.new_targets.nnz),
        "all_without_new": both,
        "known_without_new": known,
    }
    if evidence.known_targets.nnz == 0:
        return Found(weights, Placement(), figures)
    best, kept, chosen = both, known, Placement(shift=-1e3)
    for shift, slope in itertools.product(_SHIFTS, _SLOPES):
        placement = Placement(shift, slope)
        left, found = merged.with_new(placement)
        if found > best and left >= (1 - most_lost) * known:
            best, kept, chosen = found, left, placement
    figures |= {"all_with_new": best, "known_with_new": kept}
    return Found(weights, chosen, figures)


def _weights(evidence: Evidence, metric: str) -> list[float]:
    scores = evidence.new_scores
    if len(scores) == 1:
        return [1.0]
    users = np.flatnonzero(np.diff(evidence.new_targets.indptr))
    if not len(users):
        return [1.0] * len(scores)
    targets = evidence.new_targets[users]
    nothing_seen = csr_matrix(targets.shape, dtype=np.float32)
    rows = torch.from_numpy(users)
    return weights_of_scores(
        [each[rows] for each in scores], Validation(nothing_seen, targets, metric=metric)
    )


class _Merged:
    """Lists of known and new items, merged from the best of each."""

    def __init__(self, evidence: Evidence, weights: Sequence[float], metric: str) -> None:
        self.metrics = ChosenMetrics([metric])
        self.evidence, length = evidence, self.metrics.longest
        num_known = evidence.known_targets.shape[1]
        self.best, self.z = top_k(_sum(evidence.new_scores, weights), length)
        self.best = torch.where(self.best >= 0, self.best + num_known, -1)
        self.targets = csr_matrix(hstack([evidence.known_targets, evidence.new_targets]))
        self.other_z = None
        if evidence.others is not None:
            _, self.other_z = top_k(_sum(evidence.others, weights), length)

    def without_new(self) -> tuple[float, float]:
        """Return the metric over known targets, and over all, of lists of known items."""
        best = self.evidence.known_best[:, : self.metrics.longest]
        return self._mean(best, self.evidence.known_targets), self._mean(best, self.targets)

    def with_new(self, placement: Placement) -> tuple[float, float]:
        """Return the metric over known targets, the lower of both mixtures, and over all."""
        mixed = self._merged(self.best, self.z, placement)
        num_known = self.evidence.known_targets.shape[1]
        known = self._mean(torch.where(mixed < num_known, mixed, -1), self.evidence.known_targets)
        if self.other_z is not None:
            strange = torch.full_like(self.other_z, -1, dtype=torch.int64)
            others = self._merged(strange, self.other_z, placement)
            known = min(known, self._mean(others, self.evidence.known_targets))
        return known, self._mean(mixed, self.targets)

    def _merged(self, best: Tensor, z: Tensor, placement: Placement) -> Tensor:
        places = torch.cat([self.evidence.known_best, best], dim=1)
        new = placement.shift + placement.slope * z
        order = torch.cat([self.evidence.known_scores, new], dim=1).argsort(
            dim=1, descending=True, stable=True
        )
        return places.gather(1, order[:, : self.metrics.longest])

    def _mean(self, best: Tensor, targets: csr_matrix) -> float:
        (values,) = self.metrics.per_user(best, targets).values()
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else 0.0


def _sum(scores: Sequence[Float[Tensor, "b n"]], weights: Sequence[float]) -> Tensor:
    total = torch.zeros_like(scores[0])
    for each, weight in zip(scores, weights, strict=True):
        if weight:  # what is seen is −inf
            total.add_(each, alpha=weight)
    return total


def best_known(
    scores: Float[Tensor, "b m"], history: csr_matrix, metric: str
) -> tuple[Int[Tensor, "b k"], Float[Tensor, "b k"]]:
    """Return each user's best known items, as `Evidence` takes them.

    Args:
        scores: Of the known items, in deviations.
        history: What the users have seen.
        metric: Says how long the lists are.

    Returns:
        Places of items, −1 where a list is shorter, and their scores.
    """
    return top_k(mask_seen(scores, history), ChosenMetrics([metric]).longest)
