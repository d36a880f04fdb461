"""MultVAE: a variational autoencoder of rows with a multinomial likelihood."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from typing_extensions import override

from recsparse.config.network_models import MultVAEConfig
from recsparse.layers.dropout import Dropout
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.objective import RowsOfMatrix
from recsparse.models.protocol.recommender import NetworkRecommender, check_interactions
from recsparse.models.protocol.score_vectors import ScoresByVectors, with_bias, with_one
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import load_network, stored_tensor
from recsparse.models.protocol.warm_start import take_over
from recsparse.sparse.tensor import SparseTensor

_PER_ITEM = ("item_vectors.weight", "decoder.2.weight", "decoder.2.bias")


class MultVAE(NetworkRecommender, HasItemVectors, ScoresByVectors):
    """Variational autoencoder of rows (Liang et al. 2018, https://arxiv.org/abs/1802.05814).

    A row of norm 1, part of it dropped, is encoded into a normal distribution, a sample of which is
    decoded into a softmax over all items (section 2). With `kl_weight` 0 and no sampling it is the
    denoising autoencoder MultDAE. The first layer sums over a row's active cells alone.
    """

    kind: ClassVar[str] = "mult_vae"
    config: MultVAEConfig
    network: "MultVAENetwork"

    @override
    def continues(self) -> bool:
        return True

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "MultVAE":
        """Train the network.

        Args:
            interactions: Users × items, positive weights.
            context: `trainer` trains the network, from that of `warm_start` on.

        Returns:
            The fitted model itself.

        Raises:
            InputError: If `trainer` is missing, or nothing can be learned from the interactions.
        """
        interactions = check_interactions(interactions)
        torch.manual_seed(context.seed)
        self.num_items = interactions.shape[1]
        self.network = MultVAENetwork(self.config, self.num_items)
        take_over(self.network, context.warm_start, _PER_ITEM)
        self._train(EvidenceLowerBound(self.network, interactions, self.config), context)
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The decoded mean of each row's distribution."""
        hidden = self._hidden(history)
        with torch.inference_mode():
            scores: Tensor = self.network.decoder[-1](hidden)
        return scores.cpu().clone()

    @override
    def user_vectors(
        self, history: csr_matrix, times: csr_matrix | None = None, users: Features | None = None
    ) -> Float[Tensor, "b d"]:
        """The hidden layer of the decoder, and a 1 for the biases of the items."""
        return with_one(self._hidden(history).cpu()).clone()

    @override
    def item_vectors(self) -> Float[Tensor, "m d"]:
        """The weights of the decoder's last layer, with the biases."""
        bias = self.network.state_dict()["decoder.2.bias"].cpu()
        return with_bias(self.vectors_of_items(), bias)

    def _hidden(self, history: csr_matrix) -> Float[Tensor, "b d"]:
        history = self._checked_history(history)
        self.network.eval()
        device = self.network.hidden_bias.device
        with torch.inference_mode():
            mean, _ = self.network.encode(SparseTensor.from_scipy(history).to(device))
            hidden: Tensor = self.network.decoder[:-1](mean)
        return hidden

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The weights of the decoder's last layer."""
        return self.network.state_dict()["decoder.2.weight"].cpu()

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the network's weights."""
        return dict(self.network.state_dict())

    @classmethod
    @override
    def from_state(cls, config: MultVAEConfig, state: Mapping[str, Tensor]) -> "MultVAE":
        model = cls(config)
        model.num_items = len(stored_tensor(state, "item_vectors.weight", None, config.hidden))
        model.network = MultVAENetwork(config, model.num_items)
        load_network(model.network, state)
        return model


class MultVAENetwork(nn.Module):
    """Encoder and decoder with one hidden layer each.

    Args:
        config: Sizes.
        num_items: Number of items.
    """

    steps: Tensor

    def __init__(self, config: MultVAEConfig, num_items: int) -> None:
        super().__init__()
        self.item_vectors = nn.Embedding(num_items, config.hidden)
        self.hidden_bias = nn.Parameter(torch.zeros(config.hidden))
        self.to_distribution = nn.Linear(config.hidden, 2 * config.latent)
        self.decoder = nn.Sequential(
            nn.Linear(config.latent, config.hidden), nn.Tanh(), nn.Linear(config.hidden, num_items)
        )
        self.dropout = Dropout(config.dropout)
        # A row has norm 1, so that its first layer is a sum of vectors with weights of that norm.
        nn.init.normal_(self.item_vectors.weight, std=config.hidden**-0.5)
        for layer in (self.to_distribution, *self.decoder):
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
        # How far the annealing is; a buffer, so that a resumed training continues there.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def encode(self, cells: SparseTensor) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """Encode rows.

        Args:
            cells: One sample of shape (rows, items) with the weights as its one channel.

        Returns:
            Mean and logarithm of the variance of each row's distribution.
        """
        row, item = cells.coords[:, 1].contiguous(), cells.coords[:, 2]
        squares = cells.feats.new_zeros(cells.spatial_shape[0])
        norm = squares.index_add(0, row, cells.feats[:, 0].square()).sqrt().clamp(min=1e-12)
        weight = self.dropout(cells.feats[:, 0] / norm[row])
        start = torch.searchsorted(row, torch.arange(cells.spatial_shape[0], device=row.device))
        summed = nn.functional.embedding_bag(
            item, self.item_vectors.weight, start, mode="sum", per_sample_weights=weight
        )
        hidden = torch.tanh(summed + self.hidden_bias)
        mean, log_variance = self.to_distribution(hidden).chunk(2, dim=1)
        return mean, log_variance


class EvidenceLowerBound(RowsOfMatrix):
    """The negative evidence lower bound, its second term annealed (Liang et al., section 2.2.2).

    Args:
        network: Encoder and decoder.
        interactions: Users × items.
        config: The annealing, and how the network is trained.
    """

    network: MultVAENetwork

    def __init__(
        self, network: MultVAENetwork, interactions: csr_matrix, config: MultVAEConfig
    ) -> None:
        super().__init__(network, interactions, config.training)
        self.config = config

    @override
    def loss(self, batch: SparseTensor) -> Tensor:
        """Return the mean over the rows."""
        mean, log_variance = self.network.encode(batch)
        latent = mean
        if self.config.kl_weight > 0:
            latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        log_probability = self.network.decoder(latent).log_softmax(dim=1)
        row, item = batch.coords[:, 1], batch.coords[:, 2]
        likelihood = (log_probability[row, item] * batch.feats[:, 0]).sum() / len(mean)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        self.network.steps += 1
        annealed = (self.network.steps / self.config.annealing_steps).clamp(max=1.0)
        return self.config.kl_weight * annealed * divergence.mean() - likelihood
