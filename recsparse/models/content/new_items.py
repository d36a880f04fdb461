"""New items in one list with the known ones: by their features, placed on the known ones' scale."""

from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, identity
from torch import Tensor
from typing_extensions import override

from recsparse.digest import digest
from recsparse.errors import InputError
from recsparse.models.content.placement import Placement
from recsparse.models.protocol.cold_scorer import ColdScorer, mean_and_deviation
from recsparse.models.protocol.features import FeatureKind, FeatureNames, Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.reasons import (
    Contributions,
    HasReasons,
    HasReasonsForUsers,
    contributions_of,
    no_reasons,
    rows_of_cells,
)
from recsparse.models.protocol.reasons_of_new import HasReasonsForNew
from recsparse.models.protocol.user_reader import UserReader, read_of_users


class WithNewItems(FittedModel, UserReader, HasReasonsForUsers):
    """A fitted model with new items behind those of its fit.

    Args:
        base: The model, of which at least one part reads features.
        items: Features of the new items.
        placement: Where they stand among the known ones.

    Raises:
        InputError: If no part of the model reads features of items.
    """

    def __init__(self, base: FittedModel, items: Features, placement: Placement) -> None:
        if not can_rank_new(base):
            raise InputError(no_reader(base))
        super().__init__(base.config)
        self.base, self.new_items, self.placement = base, items, placement
        self.kind = base.kind  # type: ignore[misc]  # it is of the class elsewhere
        self.num_items = base.num_items + items.num_ids
        self._is_described = torch.from_numpy(items.are_known())

    @override
    def continues(self) -> bool:
        return self.base.continues()

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Scores of the known items as they were, then those of the new ones.

        A new item without features gets the lowest score of a known one.
        """
        return self._scores(history, times, None)

    @override
    def score_users(
        self, history: csr_matrix, times: csr_matrix | None, users: Features
    ) -> Float[Tensor, "b m"]:
        return self._scores(history, times, users)

    @override
    def reads_of_users(self, users: Features) -> Features:
        return read_of_users(self.base, users) or Features((), users.num_ids)

    def _scores(
        self, history: csr_matrix, times: csr_matrix | None, users: Features | None
    ) -> Float[Tensor, "b m"]:
        history, times = self._of_known(history, times)
        known, z = self.base.score_with_new(history, times, self.new_items, users)
        placed = self.placement.place(known, z)
        placed = placed.where(self._is_described, known.amin(dim=1, keepdim=True))
        return torch.cat([known, placed], dim=1)

    def _of_known(
        self, history: csr_matrix, times: csr_matrix | None
    ) -> tuple[csr_matrix, csr_matrix | None]:
        known = slice(self.base.num_items)
        return history[:, known], None if times is None else times[:, known]

    @override
    def contributions_for_users(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        users: Features | None,
    ) -> Contributions:
        """Those of the model itself for known items; new ones have theirs on the user's line.

        Args:
            history: One row of interactions per user, with those of new items, which add nothing.
            times: The time of each interaction.
            listed: The items to explain.
            users: Features of the users.

        Returns:
            What the scores are the sum of. Nothing is explained of new items which are ranked by a
            model that does not implement `HasReasonsForNew`.

        Raises:
            InputError: If scores of known items are no sums over the history.
        """
        if not isinstance(self.base, HasReasons):
            raise InputError(no_reasons(self.base))
        is_known = torch.from_numpy(history.indices < self.base.num_items)
        of_known = self._of_known(history, times)
        place = listed - self.base.num_items
        is_new = place >= 0
        found = contributions_of(self.base, *of_known, listed.where(~is_new, 0), users)
        if is_new.any():
            row = rows_of_cells(of_known[0])
            new = self._contributions_to_new(*of_known, place.clamp(min=0), users)
            found = Contributions(
                torch.where(is_new[row], new.cells, found.cells),
                torch.where(is_new, new.rest, found.rest),
                torch.where(is_new, new.explained, found.explained),
            )
        cells = torch.zeros(history.nnz, listed.shape[1])
        cells[is_known] = found.cells
        return replace(found, cells=cells)

    def _contributions_to_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        place: Int[Tensor, "b k"],
        users: Features | None,
    ) -> Contributions:
        known, z = self.base.score_with_new(history, times, self.new_items, users)
        if isinstance(self.base, HasReasonsForNew):
            given = history, times, place, self.new_items, users
            found = self.base.contributions_with_new(*given)
        else:
            found = Contributions.unexplained(z.gather(1, place), history.nnz)
        start, slope = self.placement.line(known, z)
        is_described = self._is_described[place]
        start = start.where(is_described, known.amin(dim=1, keepdim=True))
        return found.on_line(history, start, slope.where(is_described, 0.0))

    def similarities_of_new(self, which: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """Say how alike new items are to the known ones, by their features.

        Args:
            which: Indices among the new items.

        Returns:
            One row each: what the parts that read features give the item for a history of each
            known item alone, over the deviation of these scores, with the weights of the parts.
        """
        items, total = self.new_items.rows(which), torch.zeros(len(which), self.base.num_items)
        for reader, weight in self.base.weighted_readers():
            scores = reader.score_cold(self._one_item_each(), None, items).T
            _, deviation, _ = mean_and_deviation(scores)
            total.add_(scores / deviation, alpha=weight)
        return total

    def _one_item_each(self) -> csr_matrix:
        return csr_matrix(identity(self.base.num_items, dtype=np.float32, format="csr"))

    def similar_new(
        self, known: Float[Tensor, "n m"], items: NDArray[np.int64]
    ) -> Float[Tensor, "n new"]:
        """Say how alike the new items are to known ones, on the scale of how alike known ones are.

        Args:
            known: Similarities of the items to all known ones.
            items: Indices of known items.

        Returns:
            One row per item: mean + deviation · z of its similarities to the known ones, where z is
            how many deviations above the mean of these a new item stands by its features for a
            history of this item alone; −∞ where it stands no higher than the mean.
        """
        _, z = self.base.score_with_new(self._one_item_each()[items], None, self.new_items)
        placed = Placement().place(known, z)
        return placed.where((z > 0) & self._is_described, -torch.inf)

    @override
    def state(self) -> dict[str, Tensor]:
        """That of the model itself; new items are kept apart from it."""
        return self.base.state()

    @override
    def digest(self) -> str:
        groups = [(group.name, group.kind, group.values) for group in self.new_items.groups]
        features = [part for name, kind, values in groups for part in (name, kind, values)]
        return digest(self.base.digest(), repr(self.placement), *features)


def base_of(model: Any) -> Any:
    """Return a model without new items.

    Args:
        model: Any model.

    Returns:
        The model that was fitted.
    """
    return model.base if isinstance(model, WithNewItems) else model


def can_rank_new(model: FittedModel) -> TypeGuard[ColdScorer]:
    """Say whether a model can rank items by features alone.

    Args:
        model: A fitted model.

    Returns:
        Whether it, or a part of it, can.
    """
    return isinstance(model, ColdScorer) and len(model.readers()) > 0


def no_reader(model: FittedModel) -> str:
    """Return the error of a model that cannot rank new items.

    Args:
        model: A fitted model.

    Returns:
        What must hold, what was found and the cure.
    """
    parts = [part.kind for part in getattr(model, "parts", [])]
    found = f"{model.kind} of {', '.join(parts)}" if parts else model.kind
    return (
        "new items are ranked by a part that reads features of items alone (text_tower, "
        f"content_knn or text_ridge), but the model is {found}; prepare the log with --items and "
        "train the default model, or name such a part in model.parts"
    )


def features_of_readers(model: ColdScorer, items: Features) -> Features:
    """Return the features by which a model ranks new items.

    Args:
        model: A fitted model.
        items: All features.

    Returns:
        The groups that a part which ranks new items reads.
    """
    wanted: set[str] = set()
    own = getattr(model, "parts", None)
    allowed = items if own is None else items.chosen(_names(model))
    for reader in model.readers():
        reads: frozenset[FeatureKind] = getattr(reader, "reads", frozenset())
        chosen = allowed.chosen(_names(reader)).groups
        wanted |= {group.name for group in chosen if group.kind in reads}
    return items.chosen([group.name for group in items.groups if group.name in wanted])


def _names(model: FittedModel) -> FeatureNames:
    names: FeatureNames = getattr(model.config, "features", ())
    return names
