"""What networks over users' events have in common: item vectors that go in and score."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recsparse.network_config import EventConfig
from recsparse.sparse.grid import Grid


class EventNetwork(nn.Module):
    """One vector an event: what its user is likely to do next.

    Items are scored by the same vectors that stand for them in the input.

    Args:
        config: Sizes.
        num_items: Number of items.
    """

    def __init__(self, config: EventConfig, num_items: int) -> None:
        super().__init__()
        # Of a catalogue that is sampled from, a step touches few rows.
        is_sampled = num_items > config.full_softmax_items
        self.item_vectors = nn.Embedding(num_items, config.channels, sparse=is_sampled)
        nn.init.normal_(self.item_vectors.weight, std=config.channels**-0.5)
        self.item_bias = nn.Parameter(torch.zeros(num_items))

    @abstractmethod
    def forward(self, items: Int[Tensor, " n"], grid: Grid) -> Float[Tensor, "n d"]:
        """Summarise what was known at each event.

        Args:
            items: The item of each event.
            grid: The events as cells of a (user, position) grid.

        Returns:
            One vector an event, of it and those before it.
        """

    def embedded(self, items: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Return the input vectors of some items, of about unit variance.

        Args:
            items: The items.

        Returns:
            One vector an item.
        """
        vectors: Tensor = self.item_vectors(items)
        return vectors * self.item_vectors.embedding_dim**0.5

    def scores(self, summary: Float[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        """Score every item after some events.

        Args:
            summary: What `forward` returned, of some of the events.

        Returns:
            Unnormalised log-probabilities.
        """
        return summary @ self.item_vectors.weight.T + self.item_bias
