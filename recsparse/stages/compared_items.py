"""ComparedItems: which items of a test are ranked and wanted, by the option `catalogue`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsparse.config.choices import Catalogue
from recsparse.datasets.vocabulary import Vocabulary


@dataclass(frozen=True)
class ComparedItems:
    """The items that a comparison is about.

    Attributes:
        catalogue: Which items are ranked and wanted.
        trained: Items of the dataset's training part.
        models: The items of each model.
    """

    catalogue: Catalogue
    trained: Vocabulary
    models: Sequence[Vocabulary]

    def wanted(self, items: Vocabulary) -> NDArray[np.bool_]:
        """Say which items count as targets.

        Args:
            items: Items of the dataset.

        Returns:
            One truth per item.
        """
        if self.catalogue == "new":
            return ~_are_in(items, self.trained)
        return self.ranked(items)

    def ranked(self, items: Vocabulary) -> NDArray[np.bool_]:
        """Say which items a model may put into its lists.

        Args:
            items: Items of a model.

        Returns:
            One truth per item.
        """
        if self.catalogue == "known":
            return _are_in(items, self.trained)
        if self.catalogue == "common":
            shared = [_are_in(items, other) for other in self.models]
            return np.logical_and.reduce(shared, axis=0)
        return np.ones(len(items), dtype=bool)


def _are_in(items: Vocabulary, others: Vocabulary) -> NDArray[np.bool_]:
    return others.index_of(items.ids) >= 0
