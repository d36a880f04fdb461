"""The features of items and of users that a model asks for, out of those that a fit was given."""

from recsparse.config.feature_section import FeatureSection, UserFeatureSection
from recsparse.errors import InputError
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.needs import Needs, unmet
from recsparse.models.protocol.recommender import Recommender


def needs_features(config: FeatureSection) -> Needs:
    """Return what a model with features needs.

    Args:
        config: Its settings.

    Returns:
        Features of the items, where it names some.
    """
    return {"item_features": "features"} if config.features else {}


def needs_user_features(config: UserFeatureSection) -> Needs:
    """Return what a model that reads features of the users needs.

    Args:
        config: Its settings.

    Returns:
        Features of the users, where it names some.
    """
    return {"user_features": "user_features"} if config.user_features else {}


def wanted_user_features(
    model: Recommender, config: UserFeatureSection, context: FitContext, num_users: int
) -> Features | None:
    """Return the features of users that a model asks for.

    Args:
        model: The model, as it says itself what asks for them.
        config: Its settings.
        context: What the fit was given.
        num_users: Number of rows of the fit.

    Returns:
        Those that the configuration names; None where it names none.

    Raises:
        InputError: If it names some that the context lacks, or they are not of each user.
    """
    if not config.user_features:
        return None
    users = context.user_features
    if users is None:
        setting = model.needs().get("user_features", "kind")
        raise InputError(unmet("user_features", model.kind, setting, "there are none"))
    if users.num_ids != num_users:
        raise InputError(
            f"context.user_features must be of each of {num_users} users, but are of "
            f"{users.num_ids}"
        )
    return users.chosen(config.user_features, "model.user_features", "users")


def wanted_features(
    model: Recommender, config: FeatureSection, context: FitContext, num_items: int
) -> Features:
    """Return the features that a model cannot do without.

    Args:
        model: The model, as it says itself what asks for them.
        config: Its settings.
        context: What the fit was given.
        num_items: Number of items.

    Returns:
        Those that the configuration names.

    Raises:
        InputError: If there are none, or not of each item, or none of a name, or none of a kind
            that the model reads.
    """
    features = context.item_features
    if features is None:
        setting = model.needs()["item_features"]
        raise InputError(unmet("item_features", model.kind, setting, "there are none"))
    if features.num_ids != num_items:
        raise InputError(
            f"context.item_features must be of each of {num_items} items, but are of "
            f"{features.num_ids}"
        )
    return readable(model, config, features)


def readable(model: Recommender, config: FeatureSection, features: Features) -> Features:
    """Return the features that a model asks for, at least one of a kind that it reads.

    Args:
        model: The model, which says what kinds it reads.
        config: Its settings.
        features: All that there are.

    Returns:
        Those that the configuration names.

    Raises:
        InputError: If there are none of a name, or none of these kinds.
    """
    chosen = features.chosen(config.features)
    if not chosen.has(*model.reads):
        known = ", ".join(f"{each.name} ({each.kind})" for each in features.groups)
        raise InputError(
            f"the model {model.kind} reads {', '.join(sorted(model.reads))}, but model.features "
            f"names none of these out of {known}; name one, or choose another kind of model"
        )
    return chosen


def encoder_of(
    model: Recommender, context: FitContext, num_items: int, channels: int
) -> FeatureEncoder | None:
    """Return what encodes the features that a network asks for.

    Args:
        model: The model of the network.
        context: What the fit was given.
        num_items: Number of items.
        channels: Length of an item's vector.

    Returns:
        The encoder, untrained; None where the configuration names no features.

    Raises:
        InputError: If it names some that the context lacks.
    """
    config = model.config
    if not (isinstance(config, FeatureSection) and config.features):
        return None
    return FeatureEncoder.of(wanted_features(model, config, context, num_items), channels)
