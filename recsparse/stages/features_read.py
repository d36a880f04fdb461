"""Which features a fitted model reads, of how many items, and which nothing reads."""

import logging

from recsparse.config.feature_section import FeatureSection
from recsparse.datasets.dataset import Dataset
from recsparse.models.protocol.features import FeatureNames, Features
from recsparse.models.protocol.recommender import Recommender

logger = logging.getLogger(__name__)

FeaturesRead = dict[str, dict[str, int]]


def features_read(model: Recommender, features: Features | None) -> FeaturesRead:
    """Return which features each part of a model reads.

    Args:
        model: A fitted model; of a blend, the parts that have a weight count.
        features: Of the items of the catalogue.

    Returns:
        For the model, or each of its parts, by kind: the names of what it reads, each with the
        number of items that have it; parts that read nothing are left out.
    """
    if features is None:
        return {}
    parts = getattr(model, "parts", None)
    if parts is not None:
        features = features.chosen(_names(model))
    found: FeaturesRead = {}
    for part in (model,) if parts is None else parts:
        own = features.chosen(_names(part)).groups
        read = {group.name: group.known for group in own if group.kind in part.reads}
        if read:
            found.setdefault(part.kind, {}).update(read)
    return found


def warn_of_unread(read: FeaturesRead, data: Dataset) -> None:
    """Say which features of a dataset no part of a model reads.

    Args:
        read: What is read.
        data: The dataset.
    """
    names = {name for own in read.values() for name in own}
    unread = [group.name for group in data.item_features if group.name not in names]
    if unread:
        logger.warning(
            "no part of the model reads the features %s of the items; name a model that does in "
            'model.kind or model.parts, as timeline with features = "all"',
            ", ".join(unread),
        )
    of_users = [group.name for group in data.user_features]
    if of_users:
        logger.warning("no model reads features of users yet: %s", ", ".join(of_users))


def _names(model: Recommender) -> FeatureNames:
    config = model.config
    return config.features if isinstance(config, FeatureSection) else ()
