"""TimelineRecommender: causal sparse convolutions along each user's events."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from recsparse.config.event_models import TimelineConfig
from recsparse.layers.causal import CausalConv1d
from recsparse.layers.dropout import Dropout
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.event_networks.event_network import EventNetwork
from recsparse.models.event_networks.event_recommender import EventRecommender
from recsparse.models.histories.sequences import Events
from recsparse.sparse.tensor import SparseTensor


class TimelineRecommender(EventRecommender):
    """Causal sparse convolutions along each user's events.

    A window along time, the kernel of its convolutions, is what tells it from a sum over the
    history; the order of a row's cells is all of its geometry.
    """

    kind: ClassVar[str] = "timeline"
    config: TimelineConfig

    def _new_network(self, num_items: int, features: FeatureEncoder | None) -> EventNetwork:
        return TimelineNetwork(self.config, num_items, features)


class TimelineNetwork(EventNetwork):
    """Residual blocks of causal convolutions; nothing is padded.

    The events of some users are the active cells of a (user, position) grid. Each block adds a
    gated causal convolution (Dauphin et al. 2017, https://arxiv.org/abs/1612.08083, section 2) and
    a feed-forward layer, both after a layer norm, to its input; dilations grow from block to block,
    as in WaveNet.

    Args:
        config: Sizes.
        num_items: Number of items.
        features: Encodes the features of the items; None where none are read.
    """

    def __init__(
        self, config: TimelineConfig, num_items: int, features: FeatureEncoder | None = None
    ) -> None:
        super().__init__(config, num_items, features)
        self.dropout = Dropout(config.dropout)
        dilations = [config.dilation_base**block for block in range(config.blocks)]
        self.blocks = nn.ModuleList(TimelineBlock(config, dilation) for dilation in dilations)
        self.norm = nn.LayerNorm(config.channels)

    def forward(self, events: Events) -> Float[Tensor, "n d"]:
        """Summarise what was known at each event.

        Args:
            events: The events of some users.

        Returns:
            One vector per event, of it and those before it.
        """
        x = SparseTensor(events.grid, self.dropout(self.embedded(events)))
        for block in self.blocks:
            x = block(x)
        summary: Tensor = self.norm(x.feats)
        return summary


class TimelineBlock(nn.Module):
    """A gated causal convolution and a feed-forward layer, each added to its input.

    Args:
        config: Sizes.
        dilation: Distance between the taps of the convolution.
    """

    def __init__(self, config: TimelineConfig, dilation: int) -> None:
        super().__init__()
        channels = config.channels
        self.conv_norm = nn.LayerNorm(channels)
        self.conv = CausalConv1d(channels, 2 * channels, config.kernel_size, dilation)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.GELU(),
            Dropout(config.dropout),
            nn.Linear(2 * channels, channels),
            Dropout(config.dropout),
        )
        self.dropout = Dropout(config.dropout)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply both.

        Args:
            x: Features (n, channels).

        Returns:
            Features (n, channels) on the same grid.
        """
        convolved = self.conv(x.with_feats(self.conv_norm(x.feats))).feats
        feats = x.feats + self.dropout(nn.functional.glu(convolved, dim=1))
        return x.with_feats(feats + self.feed_forward(feats))
