"""TextTower: item vectors that are sums of learned word vectors, plus the cosine of features."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from typing_extensions import override

from recsparse.config.network_models import TextTowerConfig
from recsparse.layers.dropout import Dropout
from recsparse.models.content.cosines import COMPARED, Cosines
from recsparse.models.content.wanted_features import wanted_features
from recsparse.models.protocol.features import FeatureKind, Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.objective import HiddenCells, RowNetwork
from recsparse.models.protocol.reasons import (
    Contributions,
    HasReasons,
    listed_products,
    rows_of_cells,
)
from recsparse.models.protocol.reasons_of_new import HasReasonsForNew
from recsparse.models.protocol.recommender import NetworkRecommender, check_interactions
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import load_network, stored_tensor
from recsparse.sparse.scatter import scatter_sum
from recsparse.sparse.tensor import SparseTensor


class TextTower(NetworkRecommender, HasItemVectors, HasReasons, HasReasonsForNew):
    """Learns word vectors from who took which items, and adds the cosine of the words themselves.

    An item is the sum of the vectors of its words, weighted by its bag of norm 1; a user is the sum
    of the items of the history over the square root of their number. The vectors are trained to
    rank hidden items of the history by a softmax over all items, with a bias per item that takes
    popularity off them. An item without a history has words all the same, and no bias.
    """

    kind: ClassVar[str] = "text_tower"
    scoring_settings = frozenset({"cosine_weight"})
    reads: ClassVar[frozenset[FeatureKind]] = COMPARED
    config: TextTowerConfig
    network: "TextTowerNetwork"

    @override
    def needs(self) -> Needs:
        return {"item_features": "kind"}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "TextTower":
        """Train the word vectors.

        Args:
            interactions: Users × items, positive weights.
            context: The items' features; `trainer` trains the network.

        Returns:
            The fitted model itself.

        Raises:
            InputError: If there are no features of the items that it reads, `trainer` is missing,
                or nothing can be learned from the interactions.
        """
        interactions = check_interactions(interactions)
        features = wanted_features(self, self.config, context, interactions.shape[1])
        torch.manual_seed(context.seed)
        self.num_items = interactions.shape[1]
        items = Cosines.of(features, self.config.word_exponent)
        self.network = TextTowerNetwork(self.config, items)
        self._train(HiddenCells.configured(self.network, interactions, self.config), context)
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The network's scores plus the weighted cosines."""
        history = self._checked_history(history)
        return self._scores(history, self.network.known()) + self.network.item_bias.detach().cpu()

    @override
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, items: Features
    ) -> Float[Tensor, "b cold"]:
        history = self._checked_history(history)
        return self._scores(history, self._cosines_of(items))

    def _cosines_of(self, items: Features) -> Cosines:
        return Cosines.of(items.chosen(self.config.features), self.config.word_exponent)

    def _scores(self, history: csr_matrix, others: Cosines) -> Float[Tensor, "b n"]:
        # It stays where it is trained: an epoch is judged before the next one.
        network = self.network.eval()
        with torch.inference_mode():
            items = network.scale.exp() * network.encode(others)
            users = network.users(SparseTensor.from_scipy(history).to(items.device))
            scores = (users @ items.T).cpu()
        length = np.sqrt(np.maximum(np.asarray(history.sum(axis=1)), 1e-12))
        cosines = network.known().to_history(history, others).numpy() / length
        return scores.clone() + self.config.cosine_weight * torch.from_numpy(cosines).float()

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The learned vectors of the words and other features."""
        return self.network.eval().encode(self.network.known()).detach().cpu()

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """The products with the vectors of each item of the history, and the weighted cosines."""
        cells = self._added(history, listed, self.network.known())
        return Contributions.whole(cells, self.network.item_bias.detach().cpu()[listed])

    @override
    def contributions_to_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        items: Features,
    ) -> Contributions:
        """As those to known items, which have a bias besides."""
        cells = self._added(history, listed, self._cosines_of(items))
        return Contributions.whole(cells, torch.zeros(listed.shape))

    def _added(
        self, history: csr_matrix, listed: Int[Tensor, "b k"], others: Cosines
    ) -> Float[Tensor, "n_cells k"]:
        history, network = self._checked_history(history), self.network.eval()
        vectors, scale = network.encode(others).detach().cpu(), network.scale.exp().item()
        products = scale * listed_products(self.vectors_of_items(), vectors, history, listed)
        cosines = network.known().of_listed(history, listed, others)
        products += self.config.cosine_weight * cosines
        length = np.sqrt(np.maximum(np.asarray(history.sum(axis=1)), 1e-12))
        weights = torch.from_numpy(history.data).unsqueeze(1)
        cells = weights * products / torch.from_numpy(length)[rows_of_cells(history)]
        return cells.float()

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the network's weights and the items' features."""
        return dict(self.network.state_dict())

    @classmethod
    @override
    def from_state(cls, config: TextTowerConfig, state: Mapping[str, Tensor]) -> "TextTower":
        model = cls(config)
        words = stored_tensor(state, "word_vectors", None, config.channels)
        known = Cosines.stored(state, len(words))
        model.num_items = known.sparse.shape[0]
        model.network = TextTowerNetwork(config, known)
        load_network(model.network, state)
        return model


class TextTowerNetwork(RowNetwork):
    """Scores of all items from the active cells of some users' rows and the items' words.

    Args:
        config: Sizes.
        known: The features of the items.
    """

    data: Tensor
    indices: Tensor
    indptr: Tensor
    vectors: Tensor

    def __init__(self, config: TextTowerConfig, known: Cosines) -> None:
        super().__init__()
        bags, vectors = known.sparse, known.vectors
        self.register_buffer("data", torch.from_numpy(bags.data))
        self.register_buffer("indices", torch.from_numpy(bags.indices.astype(np.int64)))
        self.register_buffer("indptr", torch.from_numpy(bags.indptr.astype(np.int64)))
        num_items, num_words = bags.shape
        self.word_vectors = nn.Parameter(torch.empty(num_words, config.channels))
        nn.init.normal_(self.word_vectors, std=config.channels**-0.5)
        self.vector_map: nn.Linear | None = None
        if vectors.shape[1]:
            self.register_buffer("vectors", torch.from_numpy(vectors))
            self.vector_map = nn.Linear(vectors.shape[1], config.channels, bias=False)
            nn.init.normal_(self.vector_map.weight, std=config.channels**-0.5)
        self.item_bias = nn.Parameter(torch.zeros(num_items))
        self.scale = nn.Parameter(torch.ones(()))
        self.dropout = Dropout(config.dropout)

    def known(self) -> Cosines:
        """Return the items' features.

        Returns:
            Of all items of the fit.
        """
        arrays = tuple(each.cpu().numpy() for each in (self.data, self.indices, self.indptr))
        bags = csr_matrix(arrays, shape=(len(arrays[2]) - 1, len(self.word_vectors)))
        none = np.empty((bags.shape[0], 0), dtype=np.float32)
        return Cosines(bags, none if self.vector_map is None else self.vectors.cpu().numpy())

    def encode(self, items: Cosines) -> Float[Tensor, "n d"]:
        """Sum the vectors of the words of items, and what their own vectors are mapped to.

        Args:
            items: Features of any items.

        Returns:
            One vector per item; zero without features.
        """
        bags, device = items.sparse, self.word_vectors.device
        indices, indptr = (part.astype(np.int64) for part in (bags.indices, bags.indptr))
        parts = (torch.from_numpy(part).to(device) for part in (indices, indptr, bags.data))
        summed = self._summed(*parts)
        if self.vector_map is None:
            return summed
        mapped: Tensor = self.vector_map(torch.from_numpy(items.vectors).to(device))
        return summed + mapped

    def _summed(self, indices: Tensor, indptr: Tensor, data: Tensor) -> Tensor:
        # The words that occur are read and no other; their vectors are not laid out one by one.
        summed: Tensor = nn.functional.embedding_bag(
            indices, self.word_vectors, indptr, mode="sum",
            per_sample_weights=data, include_last_offset=True,
        )  # fmt: skip
        return summed

    def users(self, cells: SparseTensor, items: Tensor | None = None) -> Float[Tensor, "rows d"]:
        """Sum the vectors of the items of each row.

        Args:
            cells: One sample of shape (rows, items) with the weights as its one channel.
            items: The items' vectors, where they are known already; None encodes those that occur.

        Returns:
            One vector per row; zero without cells.
        """
        item = cells.coords[:, 2]
        if items is None:
            which, place = item.unique(return_inverse=True)
            vectors = self._encoded(which)[place]
        else:
            vectors = items[item]
        row, weight = cells.coords[:, 1], cells.feats
        num_rows = cells.spatial_shape[0]
        summed = scatter_sum(vectors * weight, row, num_rows)
        length = scatter_sum(weight, row, num_rows).clamp(min=1e-12).sqrt()
        users: Tensor = self.dropout(summed / length)
        return users

    @override
    def row_vectors(self, cells: SparseTensor) -> Float[Tensor, "rows d"]:
        """One vector per row; zero without cells."""
        return self.scale.exp() * self.users(cells)

    @override
    def items(self, which: Int[Tensor, " n"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        return self._encoded(which), self.item_bias[which]

    def _encoded(self, which: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        starts, lengths = self.indptr[which], self.indptr.diff()[which]
        indptr = nn.functional.pad(lengths.cumsum(0), (1, 0))
        place = (starts - indptr[:-1]).repeat_interleave(lengths)
        place = place + torch.arange(len(place), device=place.device)
        summed = self._summed(self.indices[place], indptr, self.data[place])
        return summed if self.vector_map is None else summed + self.vector_map(self.vectors[which])

    def forward(self, cells: SparseTensor) -> Float[Tensor, "rows m"]:
        """Score every item for every row.

        Args:
            cells: One sample of shape (rows, items) with the weights as its one channel.

        Returns:
            Unnormalised log-probabilities; a row without cells gets the item biases.
        """
        items = self._summed(self.indices, self.indptr, self.data)
        if self.vector_map is not None:
            items = items + self.vector_map(self.vectors)
        return self.scale.exp() * self.users(cells, items) @ items.T + self.item_bias
