"""What networks over users' events have in common: item vectors that go in and score."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recsparse.config.event_models import EventConfig
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.content.user_encoder import UserColumns, UserEncoder
from recsparse.models.histories.sequences import NUM_GAPS, Events


class EventNetwork(nn.Module):
    """One vector per event: what its user is likely to do next.

    Items are scored by the same vectors that stand for them in the input.

    Args:
        config: Sizes.
        num_items: Number of items.
        features: Encodes the features of the items; None where none are read.
    """

    def __init__(
        self, config: EventConfig, num_items: int, features: FeatureEncoder | None = None
    ) -> None:
        super().__init__()
        # Of a catalogue that is sampled from, a step touches few rows.
        is_sampled = num_items > config.full_softmax_items
        self.item_vectors = nn.Embedding(num_items, config.channels, sparse=is_sampled)
        nn.init.normal_(self.item_vectors.weight, std=config.channels**-0.5)
        self.item_bias = nn.Parameter(torch.zeros(num_items))
        self.gap_vectors = nn.Embedding(NUM_GAPS, config.channels) if config.use_gaps else None
        if self.gap_vectors is not None:
            nn.init.zeros_(self.gap_vectors.weight)
        self.words = features
        self.users: UserEncoder | None = None
        self.start: nn.Parameter | None = None

    def read_users(self, encoder: UserEncoder) -> None:
        """Read features of users, too, from which a user without events has a state as well.

        Args:
            encoder: Encodes them; it starts from nothing.
        """
        self.users = encoder
        self.start = nn.Parameter(torch.zeros(self.item_vectors.embedding_dim))

    @abstractmethod
    def forward(self, events: Events) -> Float[Tensor, "n d"]:
        """Summarise what was known at each event.

        Args:
            events: The events of some users.

        Returns:
            One vector per event, of it and those before it.
        """

    def states(self, events: Events, users: UserColumns | None = None) -> Float[Tensor, "n d"]:
        """Return what is known of the user at each event.

        Args:
            events: The events of some users.
            users: What else is known of these users.

        Returns:
            What `forward` says, and the vector of the user's features added.
        """
        summary: Tensor = self(events)
        if self.users is None or users is None:
            return summary
        of_user: Tensor = self.users(users)
        return summary + of_user[events.grid.coords[:, 1]]

    def first_states(
        self, num_users: int, users: UserColumns | None = None
    ) -> Float[Tensor, "b d"]:
        """Return what is known of users of whom no event is.

        Args:
            num_users: How many.
            users: Their features.

        Returns:
            One vector per user; zeros where the network reads no features of users.
        """
        found = self.item_bias.new_zeros(num_users, self.item_vectors.embedding_dim)
        if self.start is not None:
            found = found + self.start
        if self.users is not None and users is not None:
            found = found + self.users(users)
        return found

    def embedded(self, events: Events) -> Float[Tensor, "n d"]:
        """Return the input vectors of some events, of about unit variance.

        Args:
            events: The events of some users.

        Returns:
            One vector per event, of its item and, where the configuration uses it, of the time
            since the event before.
        """
        vectors = self.vectors_of(events.items) * self.item_vectors.embedding_dim**0.5
        return vectors if self.gap_vectors is None else vectors + self.gap_vectors(events.gaps)

    def vectors_of(self, items: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Return the vectors of some items.

        Args:
            items: The items.

        Returns:
            One vector per item, that of its features added to its own.
        """
        vectors: Tensor = self.item_vectors(items)
        return vectors if self.words is None else vectors + self.words()[items]

    def all_vectors(self) -> Float[Tensor, "m d"]:
        """Return the vectors of all items.

        Returns:
            The same as `vectors_of`.
        """
        vectors: Tensor = self.item_vectors.weight
        return vectors if self.words is None else vectors + self.words()

    def scores(self, summary: Float[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        """Score every item after some events.

        Args:
            summary: What `forward` returned, of some of the events.

        Returns:
            Unnormalised log-probabilities.
        """
        return summary @ self.all_vectors().T + self.item_bias
