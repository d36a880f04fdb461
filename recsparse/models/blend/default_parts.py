"""The models that are blended where none are named."""

from math import inf

from recsparse.config.event_models import TimelineConfig
from recsparse.config.feature_section import FeatureNames
from recsparse.config.linear_models import (
    ContentKNNConfig,
    EASEConfig,
    GFCFConfig,
    IALSConfig,
    NextItemRidgeConfig,
    PopularityConfig,
    SparseEASEConfig,
)
from recsparse.config.models import PartConfig
from recsparse.config.network_models import SparseGridConfig, TextTowerConfig

# Beyond, its cube of items takes more than minutes, and so do epochs of the network.
_MOST_ITEMS_OF_EASE = 15_000
# Its matrices are larger by its number of decays.
_MOST_ITEMS_OF_RIDGE = 8_000
# MovieLens-1M has 150 and needs little dropout, Amazon Beauty 16 and needs much.
_FEW_EVENTS_PER_ITEM = 30
# Steps of an epoch that are left where batches are made larger, and users of the largest.
_FEWEST_STEPS = 80
_MOST_BATCH_USERS = 256


def default_parts(
    num_items: int,
    has_times: bool,
    has_features: bool,
    num_pairs: int = 0,
    looks_ahead: bool = True,
    num_users: int = 0,
    events_per_item: float = inf,
) -> tuple[PartConfig, ...]:
    """Return the models that are blended where none are named.

    Args:
        num_items: Number of items; EASE and the network of the grid are left out where there are
            many.
        has_times: Whether the time of each interaction is known.
        has_features: Whether words, categories or vectors of the items are known.
        num_pairs: Pairs of items in one row; of a large catalogue with too many, the sparse EASE is
            left out, too.
        looks_ahead: Whether what is to be predicted comes after all that is known.
        num_users: Number of users.
        events_per_item: Interactions over items; where there are few, the network of time is held
            back by more dropout, weight decay and, where users are many, larger batches.

    Returns:
        The parts, those of time and of text among them where they can be.
    """
    linear = EASEConfig(regularisation=400.0)
    is_small = num_items <= _MOST_ITEMS_OF_EASE
    parts: list[PartConfig]
    if is_small:
        grid = SparseGridConfig(linear=None, cell_dropout=0.3, regularisation=0.01)
        parts = [grid, IALSConfig(), GFCFConfig(), linear]
    else:
        wide = GFCFConfig(rank=512, item_exponent=0.4, low_pass_weight=0.2, sharpening=0.5)
        parts = [IALSConfig(factors=128, regularisation=0.01), wide]
        near = SparseEASEConfig()
        parts += [near] if num_pairs <= near.most_pairs else []
    near_in_time = EASEConfig(regularisation=120.0, window_events=32)
    if has_times and is_small:
        parts.append(near_in_time)
    if has_times and looks_ahead:
        is_sparse = events_per_item < _FEW_EVENTS_PER_ITEM
        timeline = _default_timeline(has_features, num_users, is_sparse)
        parts += [timeline, PopularityConfig(recent_days=90)]
        if is_small:
            parts.append(near_in_time.model_copy(update={"recency_decay": 0.8}))
        if num_items <= _MOST_ITEMS_OF_RIDGE:
            parts.append(NextItemRidgeConfig())
    if has_features:
        parts += [ContentKNNConfig(word_exponent=0.5), TextTowerConfig()]
    return tuple(parts)


def _default_timeline(has_features: bool, num_users: int, is_sparse: bool) -> TimelineConfig:
    # Dropout as SASRec has it on MovieLens-1M and on sparser logs (Kang and McAuley 2018,
    # implementation details).
    dropout = 0.5 if is_sparse else 0.2
    features: FeatureNames = "all" if has_features else ()
    timeline = TimelineConfig(channels=128, features=features, use_gaps=True, dropout=dropout)
    if timeline.training is None or not is_sparse:
        return timeline
    # Short histories: few users have too few events together for a step.
    batch_users = min(_MOST_BATCH_USERS, num_users // _FEWEST_STEPS)
    held_back = {
        "batch_users": max(batch_users, timeline.training.batch_users),
        "weight_decay": 0.3,
    }
    return timeline.model_copy(update={"training": timeline.training.model_copy(update=held_back)})
