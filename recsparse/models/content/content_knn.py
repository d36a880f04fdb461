"""ContentKNN: items whose words are those of the user's history."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import ContentKNNConfig
from recsparse.models.content.bags import bags_of, unit_rows, wanted_words
from recsparse.models.protocol.cold_scorer import ColdScorer
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.stored_arrays import stored_csr, stored_tensor
from recsparse.sparse.tensor import SparseTensor


class ContentKNN(Recommender, ColdScorer):
    """The cosine between the bags of words of an item and of a user's history.

    A user's profile is the weighted sum of the bags of the history's items, each of norm 1, so that
    an item's score is the sum of its cosines to them. How words are weighted, by tf-idf or BM25, is
    decided where the dataset is prepared. Nothing is learned from other users.
    """

    kind: ClassVar[str] = "content_knn"
    config: ContentKNNConfig

    @override
    def needs(self) -> Needs:
        return {"item_words": "kind"}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "ContentKNN":
        """Take the items' bags of words.

        Args:
            interactions: Users × items; only their number of items matters.
            context: The items' bags of words.

        Returns:
            The model itself.

        Raises:
            InputError: If there is not one bag of words per item.
        """
        interactions = check_interactions(interactions)
        words = wanted_words(self, context, interactions.shape[1])
        self.bags = unit_rows(bags_of(words), self.config.word_exponent)
        self.num_items = interactions.shape[1]
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The weighted sum of the cosines to the history's items."""
        history = self._checked_history(history)
        return self._cosines(history, self.bags)

    @override
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, words: SparseTensor
    ) -> Float[Tensor, "b cold"]:
        history = self._checked_history(history)
        return self._cosines(history, unit_rows(bags_of(words), self.config.word_exponent))

    def _cosines(self, history: csr_matrix, bags: csr_matrix) -> Float[Tensor, "b n"]:
        profile = history @ self.bags
        return torch.from_numpy((profile @ bags.T).toarray())

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the bags of words."""
        return {
            "data": torch.from_numpy(self.bags.data),
            "indices": torch.from_numpy(self.bags.indices.astype(np.int64)),
            "indptr": torch.from_numpy(self.bags.indptr.astype(np.int64)),
            "num_words": torch.tensor(self.bags.shape[1]),
        }

    @classmethod
    @override
    def from_state(cls, config: ContentKNNConfig, state: Mapping[str, Tensor]) -> "ContentKNN":
        model = cls(config)
        num_words = int(stored_tensor(state, "num_words", dtype=torch.int64))
        model.bags = stored_csr(state, None, num_words)
        model.num_items = model.bags.shape[0]
        return model
