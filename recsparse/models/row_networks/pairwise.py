"""What BPR and LightGCN have in common: vectors trained on rows, users folded in by a ridge."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from typing_extensions import override

from recsparse.config.linear_models import IALSConfig
from recsparse.config.network_models import PairwiseConfig
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.content.wanted_features import encoder_of, needs_features
from recsparse.models.linear.als import empty_weight, half_step
from recsparse.models.linear.folded_in import FoldedIn, Folding
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.losses import masked_softmax_loss
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.objective import Objective, holds_items
from recsparse.models.protocol.own_loss import own_loss
from recsparse.models.protocol.recommender import NetworkRecommender, check_interactions
from recsparse.models.protocol.stored_arrays import stored_number, stored_tensor
from recsparse.sparse.tensor import SparseTensor

# How often an item that the row holds is drawn again.
_DRAWS = 8
# Empty cells weigh this many times less in folding users in than in solving for factors.
_LIGHTER = 5


class Tables(NamedTuple):
    """Vectors whose products, plus a bias, are the scores.

    Attributes:
        users: One vector per user of the fit.
        items: One vector per item.
        bias: One number per item.
    """

    users: Float[Tensor, "n d"]
    items: Float[Tensor, "m d"]
    bias: Float[Tensor, " m"]


class PairwiseNetwork(nn.Module):
    """Makes vectors of all users and items.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        channels: Length of the vectors.
        features: Encodes the features of the items; None where none are read.
    """

    def __init__(
        self, num_users: int, num_items: int, channels: int, features: FeatureEncoder | None
    ) -> None:
        super().__init__()
        self.users = nn.Parameter(torch.randn(num_users, channels) * 0.1)
        self.items = nn.Parameter(torch.randn(num_items, channels) * 0.1)
        self.features = features

    def item_vectors(self) -> Float[Tensor, "m d"]:
        """Return the vectors of the items.

        Returns:
            One per item, that of its features added to its own.
        """
        vectors: Tensor = self.items
        return vectors if self.features is None else vectors + self.features()

    @abstractmethod
    def tables(self) -> Tables:
        """Return the vectors as they are now.

        Returns:
            Of all users and items.
        """


class PairwiseRecommender(NetworkRecommender, FoldedIn):
    """Vectors of users and items, trained to rank the items of a row before others.

    The users' vectors are not kept: each user, seen or not, is folded in by a ridge regression onto
    the item vectors, the user step of iALS, since it is a function of the row alone.
    """

    scoring_settings = frozenset({"fold_in_unobserved_weight", "fold_in_regularisation"})
    config: PairwiseConfig
    network: PairwiseNetwork  # while it is trained

    @override
    def needs(self) -> Needs:
        return needs_features(self.config)

    @abstractmethod
    def _new_network(
        self, interactions: csr_matrix, features: FeatureEncoder | None
    ) -> PairwiseNetwork:
        """Return an untrained network."""

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "PairwiseRecommender":
        """Train the vectors.

        Args:
            interactions: Users × items, positive weights.
            context: `trainer` trains the vectors; `item_features` where the configuration names
                some.

        Returns:
            The fitted model itself.

        Raises:
            InputError: If `trainer` is missing, or nothing can be learned from the interactions.
        """
        interactions = check_interactions(interactions)
        torch.manual_seed(context.seed)
        self.num_items = interactions.shape[1]
        self.empty_weight = empty_weight(interactions) / _LIGHTER
        features = encoder_of(self, context, self.num_items, self.config.channels)
        self.network = self._new_network(interactions, features)
        self._train(RowsBeforeOthers(self.network, interactions, self.config), context)
        self._take_up_network()
        del self.network
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Products of user and item vectors, plus the items' biases."""
        history = self._checked_history(history)
        items, ridge, _ = self.folding()
        return half_step(history, items, ridge) @ items.T + self.bias

    @override
    def folding(self) -> Folding:
        ridge = IALSConfig(
            unobserved_weight=self.config.fold_in_unobserved_weight or self.empty_weight,
            regularisation=self.config.fold_in_regularisation,
        )
        return Folding(self.items, ridge, self.bias)

    def _take_up_network(self) -> None:
        with torch.no_grad():
            _, items, bias = self.network.tables()
            self.items, self.bias = items.cpu().clone(), bias.cpu().clone()

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the item vectors and biases, and what folding in needs besides."""
        weight = torch.tensor(self.empty_weight, dtype=torch.float64)
        return {
            "items": self.items, "bias": self.bias, "empty_weight": weight,
        }  # fmt: skip

    @classmethod
    @override
    def from_state(
        cls, config: PairwiseConfig, state: Mapping[str, Tensor]
    ) -> "PairwiseRecommender":
        model = cls(config)
        model.items = stored_tensor(state, "items", None, config.channels)
        model.num_items = len(model.items)
        model.bias = stored_tensor(state, "bias", model.num_items)
        model.empty_weight = stored_number(state, "empty_weight")
        return model


class RowsOfUsers(NamedTuple):
    """Some users' rows.

    Attributes:
        users: Their numbers.
        cells: One sample of shape (rows, items), one channel.
    """

    users: Int[Tensor, " b"]
    cells: SparseTensor


class RowsBeforeOthers(Objective):
    """Ranks the items of each row before others: by pairs, by a softmax, by a loss of one's own.

    Args:
        network: Makes the vectors.
        interactions: Users × items.
        config: The loss, the penalty, and how the network is trained.
    """

    network: PairwiseNetwork

    def __init__(
        self, network: PairwiseNetwork, interactions: csr_matrix, config: PairwiseConfig
    ) -> None:
        super().__init__(network, interactions.getnnz(axis=1).nonzero()[0], config.training)
        self.interactions, self.config = interactions, config
        self.own = own_loss(config.loss)

    @override
    def batch(self, rows: list[int]) -> RowsOfUsers:
        """Return some rows as a grid."""
        return RowsOfUsers(torch.tensor(rows), SparseTensor.from_scipy(self.interactions[rows]))

    @override
    def loss(self, batch: RowsOfUsers) -> Tensor:
        """Return the mean loss of the cells, by weight, and the penalty of their vectors."""
        users, items, bias = self.network.tables()
        coords, weight = batch.cells.coords[:, 1:], batch.cells.feats[:, 0]
        row, item = coords.unbind(dim=1)
        user, penalty = users[batch.users], self.config.regularisation
        squares = mean_square(user, row) + mean_square(items, item)
        if self.own is not None:
            scores = user @ items.T + bias
            held = holds_items(batch.cells)
            loss = self.own(scores, held, scores[row, item], row, weight)
            return loss + penalty * squares
        if self.config.loss == "softmax":
            loss = masked_softmax_loss(user @ items.T + bias, coords[:0], coords, weight)
            return loss + penalty * squares
        other = negatives_of(batch.cells)
        score = (user[row] * (items[item] - items[other])).sum(dim=1)
        loss = pairwise_loss(score + bias[item] - bias[other], weight)
        return loss + penalty * (squares + mean_square(items, other))


def mean_square(vectors: Float[Tensor, "n d"], index: Int[Tensor, " n_cells"]) -> Float[Tensor, ""]:
    """Return the mean squared length of `vectors[index]`, without laying them out.

    Args:
        vectors: One a row, or an item.
        index: Which of them, as often as they occur.

    Returns:
        The mean; zero where the index is empty.

    Example:
        >>> mean_square(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.tensor([0, 1, 1])).item()
        9.0
    """
    times = torch.bincount(index, minlength=len(vectors)).to(vectors.dtype)
    return times @ vectors.square().sum(dim=1) / max(len(index), 1)


def negatives_of(cells: SparseTensor) -> Int[Tensor, " n"]:
    """Draw an item for each cell, of those that its row does not hold, all alike.

    What falls on a cell of the row is drawn again; a row that holds nearly everything may keep one
    of its own.

    Args:
        cells: One sample of shape (rows, items), sorted.

    Returns:
        One item per cell.
    """
    num_items = cells.spatial_shape[1]
    row, item = cells.coords[:, 1], cells.coords[:, 2]
    own = row * num_items + item
    drawn = torch.randint(num_items, row.shape, device=row.device)
    for _ in range(_DRAWS):
        key = row * num_items + drawn
        place = torch.searchsorted(own, key).clamp(max=len(own) - 1)
        taken = (own[place] == key).nonzero()[:, 0]
        if len(taken) == 0:
            break
        drawn[taken] = torch.randint(num_items, taken.shape, device=row.device)
    return drawn


def pairwise_loss(
    differences: Float[Tensor, " n"], weights: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Return the logistic loss of pairs (Rendle et al. 2009, https://arxiv.org/abs/1205.2618).

    Args:
        differences: By how much the item that comes first scores more than the other.
        weights: Non-negative weight of each pair.

    Returns:
        The weighted mean of `-log sigmoid(difference)`; zero where no pair has any weight.

    Example:
        >>> round(pairwise_loss(torch.zeros(1), torch.ones(1)).exp().item(), 4)
        2.0
    """
    losses = nn.functional.softplus(-differences)
    return (losses * weights).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
