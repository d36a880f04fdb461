"""ContentKNN: items that are like those of the user's history by their features."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import ContentKNNConfig
from recsparse.models.content.cosines import COMPARED, Cosines
from recsparse.models.content.wanted_features import wanted_features
from recsparse.models.protocol.features import FeatureKind, Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.reasons import Contributions, HasReasons
from recsparse.models.protocol.reasons_of_new import HasReasonsForNew
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.stored_arrays import stored_tensor


class ContentKNN(Recommender, HasSimilarItems, HasReasons, HasReasonsForNew):
    """The cosine between the features of an item and of a user's history.

    A user's profile is the weighted sum of the features of the history's items, so that an item's
    score is the sum of its cosines to them, of words, of categories and of vectors, each by itself.
    Numbers are not read: a product of two tells nothing of how near they are. How words are
    weighted, by tf-idf or BM25, is decided where the dataset is prepared. Nothing is learned from
    other users.
    """

    kind: ClassVar[str] = "content_knn"
    reads: ClassVar[frozenset[FeatureKind]] = COMPARED
    config: ContentKNNConfig

    @override
    def needs(self) -> Needs:
        return {"item_features": "kind"}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "ContentKNN":
        """Take the items' features.

        Args:
            interactions: Users × items; only their number of items matters.
            context: The items' features.

        Returns:
            The model itself.

        Raises:
            InputError: If there are no features of the items that it reads.
        """
        interactions = check_interactions(interactions)
        features = wanted_features(self, self.config, context, interactions.shape[1])
        self.items = Cosines.of(features, self.config.word_exponent)
        self.num_items = interactions.shape[1]
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The weighted sum of the cosines to the history's items."""
        history = self._checked_history(history)
        return self.items.to_history(history, self.items)

    @override
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, items: Features
    ) -> Float[Tensor, "b cold"]:
        history = self._checked_history(history)
        return self.items.to_history(history, self._cosines_of(items))

    @override
    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """The cosines of the features, those of words, of categories and of vectors added up."""
        rows = csr_matrix(
            (np.ones(len(items), np.float32), items, np.arange(len(items) + 1)),
            shape=(len(items), self.num_items),
        )
        return self.items.to_history(rows, self.items)

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """The cosine to each item of the history, times its weight."""
        return self._contributions(history, listed, self.items)

    @override
    def contributions_to_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        items: Features,
    ) -> Contributions:
        return self._contributions(history, listed, self._cosines_of(items))

    def _contributions(
        self, history: csr_matrix, listed: Int[Tensor, "b k"], others: Cosines
    ) -> Contributions:
        history = self._checked_history(history)
        cosines = self.items.of_listed(history, listed, others)
        cells = torch.from_numpy(history.data).unsqueeze(1) * cosines
        return Contributions.whole(cells, torch.zeros(listed.shape))

    def _cosines_of(self, items: Features) -> Cosines:
        return Cosines.of(items.chosen(self.config.features), self.config.word_exponent)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the features."""
        bags, vectors = self.items.sparse, self.items.vectors
        dense = {"vectors": torch.from_numpy(vectors)} if vectors.shape[1] else {}
        return {
            "data": torch.from_numpy(bags.data),
            "indices": torch.from_numpy(bags.indices.astype(np.int64)),
            "indptr": torch.from_numpy(bags.indptr.astype(np.int64)),
            "num_words": torch.tensor(bags.shape[1]),
            **dense,
        }

    @classmethod
    @override
    def from_state(cls, config: ContentKNNConfig, state: Mapping[str, Tensor]) -> "ContentKNN":
        model = cls(config)
        num_words = int(stored_tensor(state, "num_words", dtype=torch.int64))
        model.items = Cosines.stored(state, num_words)
        model.num_items = model.items.sparse.shape[0]
        return model
