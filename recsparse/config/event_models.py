"""The configuration of networks of the next event: one section per kind, with their defaults."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from recsparse.config.feature_section import FeatureNames, OnceOfText, UserFeatureSection
from recsparse.config.network_models import SoftmaxConfig
from recsparse.config.search_space import Range, SearchSpace
from recsparse.config.training import TrainingConfig
from recsparse.config.units import (
    Blocks,
    Dimensions,
    Events,
    Share,
    Unit,
    WholeNumber,
)


class EventConfig(SoftmaxConfig, OnceOfText, UserFeatureSection):
    """Models that read a user's events in the order of time.

    Attributes:
        channels: Channels of an event.
        dropout: Dropout of the input and inside the blocks.
        most_events: Events of a user that are used, the last ones.
        use_gaps: Add a vector of the time since the event before to that of each event.
        store_vectors: Keep the vectors of all known users in the model folder, 4 bytes a number, so
            that no job needs to make them again.
        user_features: Which features of the users are encoded and added to the state of each; from
            them alone, the network learns to predict the events of a user, too.
        training: How the network is trained; None for the section `training`.
    """

    user_features: FeatureNames = ()
    channels: Dimensions = Field(default=64, ge=1)
    dropout: Share = Field(default=0.2, ge=0, lt=1)
    most_events: Events = Field(default=200, ge=1)
    use_gaps: bool = False
    store_vectors: bool = True
    training: TrainingConfig | None = TrainingConfig(
        epochs=20, batch_users=64, learning_rate=2e-3, precision="auto"
    )


class TimelineConfig(EventConfig):
    """TimelineRecommender: causal convolutions along a user's events, the next one predicted.

    Attributes:
        blocks: Residual blocks, each a gated causal convolution and a feed-forward layer.
        kernel_size: Events that a convolution sees, itself included.
        dilation_base: The distance between taps grows by this factor from block to block.
    """

    kind: Literal["timeline"] = "timeline"
    implementation: ClassVar[str] = "recsparse.models.event_networks.timeline:TimelineRecommender"
    search_space: ClassVar[SearchSpace] = {"dropout": (0.2, 0.4), "channels": (64, 128)}
    search_ranges: ClassVar[SearchSpace] = {
        "channels": (32, 64, 128),
        "blocks": Range(2, 6),
        "training.learning_rate": Range(5e-4, 1e-2, log=True),
        "dropout": Range(0.0, 0.6),
    }
    blocks: Blocks = Field(default=4, ge=1)
    kernel_size: Events = Field(default=3, ge=1)
    dilation_base: WholeNumber = Field(default=2, ge=1)


class SASRecConfig(EventConfig):
    """SASRec (Kang and McAuley 2018): self-attention along a user's events.

    Attributes:
        blocks: Residual blocks, each an attention and a feed-forward layer.
        heads: Heads of the attention; the channels are a multiple of it.
    """

    kind: Literal["sasrec"] = "sasrec"
    implementation: ClassVar[str] = "recsparse.models.event_networks.sasrec:SASRec"
    search_space: ClassVar[SearchSpace] = {"dropout": (0.2, 0.4), "channels": (64, 128)}
    search_ranges: ClassVar[SearchSpace] = {
        "channels": (32, 64, 128),
        "blocks": Range(1, 3),
        "training.learning_rate": Range(5e-4, 1e-2, log=True),
        "dropout": Range(0.0, 0.6),
    }
    blocks: Blocks = Field(default=2, ge=1)
    heads: Annotated[int, Unit("heads")] = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _channels_fit_the_heads(self) -> "SASRecConfig":
        if self.channels % self.heads:
            raise ValueError(
                f"channels must be a multiple of heads, but are {self.channels} with {self.heads}"
            )
        return self
