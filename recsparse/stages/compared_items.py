"""ComparedItems: which items of a test are ranked and wanted, by the option `catalogue`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsparse.config.choices import Catalogue
from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.datasets.vocabulary import Vocabulary


@dataclass(frozen=True)
class ComparedItems:
    """The items that a comparison is about.

    Attributes:
        catalogue: Which items are ranked and wanted.
        trained: Items of the dataset's training part.
        new: Targets of the part without training rows.
        models: The items of each model.
    """

    catalogue: Catalogue
    trained: Vocabulary
    new: Vocabulary
    models: Sequence[Vocabulary]

    @classmethod
    def of_part(
        cls, catalogue: Catalogue | None, part: WholePart, models: Sequence[Vocabulary]
    ) -> "ComparedItems":
        """Choose the items for a part.

        Args:
            catalogue: Which items; None for `known` where training knows every target of the part,
                and else `all`.
            part: The whole part, of all users.
            models: The items of each model.

        Returns:
            The items; `new` are those of all users, so that no user's figures depend on who else is
            evaluated.
        """
        is_target = part.target_rows.getnnz(axis=0) > 0
        new = np.flatnonzero(is_target[part.num_known :]) + part.num_known
        return cls(
            catalogue or ("all" if len(new) else "known"),
            Vocabulary(part.items.ids[: part.num_known]),
            Vocabulary(part.items.id_of(new)),
            models,
        )

    def chosen(self, items: Vocabulary) -> NDArray[np.bool_]:
        """Say which items may be in a list, and count as targets.

        Args:
            items: Items of a model, or of the dataset.

        Returns:
            One truth per item.
        """
        if self.catalogue == "known":
            return _are_in(items, self.trained)
        if self.catalogue == "new":
            return _are_in(items, self.new)
        if self.catalogue == "common":
            shared = [_are_in(items, other) for other in self.models]
            return np.logical_and.reduce(shared, axis=0)
        return np.ones(len(items), dtype=bool)


def _are_in(items: Vocabulary, others: Vocabulary) -> NDArray[np.bool_]:
    return others.index_of(items.ids) >= 0
