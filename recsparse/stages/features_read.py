"""Which features a fitted model reads, of how many items or users, and which nothing reads."""

import logging

from recsparse.config.feature_section import FeatureSection
from recsparse.datasets.dataset import Dataset
from recsparse.models.protocol.features import FeatureNames, Features
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.user_reader import read_of_users

logger = logging.getLogger(__name__)

FeaturesRead = dict[str, dict[str, int]]
_OF_USERS = " of users"


def features_read(
    model: Recommender, features: Features | None, users: Features | None = None
) -> FeaturesRead:
    """Return which features each part of a model reads.

    Args:
        model: A fitted model; of a blend, the parts that have a weight count.
        features: Of the items of the catalogue.
        users: Features of the users that the model was fitted on.

    Returns:
        For the model, or each of its parts, by kind: the names of what it reads, each with the
        number of items that have it, `… of users` with the number of users; parts that read
        nothing are left out.
    """
    parts = getattr(model, "parts", None)
    if parts is not None:
        features = None if features is None else features.chosen(_names(model))
        users = read_of_users(model, users)
    found: FeaturesRead = {}
    for part in (model,) if parts is None else (*parts, *_prior(model)):
        own = () if features is None else features.chosen(_names(part)).groups
        read = {group.name: group.known for group in own if group.kind in part.reads}
        of_users = read_of_users(part, users)
        groups = () if of_users is None else of_users.groups
        read |= {f"{group.name}{_OF_USERS}": group.known for group in groups}
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
    unread = [group.name for group in data.user_features if f"{group.name}{_OF_USERS}" not in names]
    if unread:
        logger.warning(
            "no part of the model reads the features %s of the users; name a model that does in "
            'model.kind or model.parts, as user_ridge, or timeline with user_features = "all"',
            ", ".join(unread),
        )


def _prior(model: Recommender) -> list[Recommender]:
    # Of a blend, scores by features of users alone.
    prior = getattr(model, "prior", None)
    return [] if prior is None else [prior]


def _names(model: Recommender) -> FeatureNames:
    config = model.config
    return config.features if isinstance(config, FeatureSection) else ()
