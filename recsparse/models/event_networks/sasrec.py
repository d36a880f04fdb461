"""SASRec: causal self-attention along each user's events."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsparse.config.event_models import SASRecConfig
from recsparse.layers.dropout import Dropout
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.event_networks.event_network import EventNetwork
from recsparse.models.event_networks.event_recommender import EventRecommender
from recsparse.models.event_networks.ragged_attention import (
    LengthGroup,
    causal_attention,
    length_groups,
)
from recsparse.models.histories.sequences import Events


class SASRec(EventRecommender):
    """Self-attentive sequential recommendation (Kang and McAuley 2018).

    Of https://arxiv.org/abs/1808.09781, section III, with layer norms before the layers, and with a
    softmax over all items in place of one negative, which makes it far better (Klenitskiy and
    Vasilev 2023, https://doi.org/10.1145/3604915.3610644).
    """

    kind: ClassVar[str] = "sasrec"
    config: SASRecConfig

    def _new_network(self, num_items: int, features: FeatureEncoder | None) -> EventNetwork:
        return SASRecNetwork(self.config, num_items, features)


class SASRecNetwork(EventNetwork):
    """Blocks of causal self-attention and feed-forward layers, with learned positions.

    Positions are counted from a user's last event. Attention alone runs on padded histories, since
    batched products are what it is made of, and on those that are about equally long together.

    Args:
        config: Sizes.
        num_items: Number of items.
        features: Encodes the features of the items; None where none are read.
    """

    def __init__(
        self, config: SASRecConfig, num_items: int, features: FeatureEncoder | None = None
    ) -> None:
        super().__init__(config, num_items, features)
        self.positions = nn.Embedding(config.most_events, config.channels)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(SASRecBlock(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.channels)

    def forward(self, events: Events) -> Float[Tensor, "n d"]:
        """Summarise what was known at each event.

        Args:
            events: The events of some users.

        Returns:
            One vector per event, of it and those before it.
        """
        user, position = events.grid.coords[:, 1], events.grid.coords[:, 2]
        length = torch.bincount(user)
        x = self.embedded(events) + self.positions(length[user] - 1 - position)
        x, groups = self.dropout(x), length_groups(user, position)
        for block in self.blocks:
            x = block(x, groups)
        summary: Tensor = self.norm(x)
        return summary


class SASRecBlock(nn.Module):
    """Causal self-attention and a feed-forward layer, each added to its input.

    Args:
        config: Sizes.
    """

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        channels = config.channels
        self.heads, self.attention_dropout = config.heads, config.dropout
        self.attention_norm = nn.LayerNorm(channels)
        self.queries_keys_values = nn.Linear(channels, 3 * channels)
        self.merge = nn.Linear(channels, channels)
        self.dropout = Dropout(config.dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.GELU(),
            Dropout(config.dropout),
            nn.Linear(2 * channels, channels),
            Dropout(config.dropout),
        )

    def forward(self, x: Float[Tensor, "n d"], groups: list[LengthGroup]) -> Float[Tensor, "n d"]:
        """Apply both.

        Args:
            x: One vector per event.
            groups: All events.

        Returns:
            The same shape.
        """
        attended = causal_attention(
            self.queries_keys_values(self.attention_norm(x)),
            groups,
            self.heads,
            self.attention_dropout if self.training else 0.0,
        )
        x = x + self.dropout(self.merge(attended))
        result: Tensor = x + self.feed_forward(x)
        return result
