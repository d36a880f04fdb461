"""Whether a dataset has what a configured model needs, before anything is fitted."""

from collections.abc import Sequence

import pyarrow.compute as pc

from recsparse.config.feature_section import FeatureSection, UserFeatureSection
from recsparse.config.model_section import ModelSection
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.schema import TIMESTAMP, WEIGHT
from recsparse.errors import InputError
from recsparse.models.content.wanted_features import readable
from recsparse.models.protocol.needs import Need, Needs, checked_needs, unmet
from recsparse.models.protocol.own_loss import own_loss
from recsparse.models.registry import build_model
from recsparse.stages.item_features import item_features
from recsparse.stages.user_features import user_features


def require_needs(model: ModelSection, data: Dataset) -> None:
    """Refuse a dataset without what a model needs, and a loss that cannot be called.

    Args:
        model: The model's section; of a blend, its parts count, too.
        data: What it is to be fitted on.

    Raises:
        InputError: If something is missing; the error names it, the setting that needs it, and
            what mends it. Or if a class of a user's own says something else than needs.
        ConfigError: If the loss is of a module that this process was not told of.
    """
    parts = getattr(model, "parts", None) or ()
    for section in (model, *parts):
        for need, setting in needs_of(section).items():
            found = _lack(need, data)
            if found:
                raise InputError(unmet(need, section.kind, setting, found))
        loss = getattr(section, "loss", None)
        if isinstance(loss, str):
            own_loss(loss)
    _require_features(model, parts, data)
    _require_user_features(model, parts, data)


def _require_features(model: ModelSection, parts: Sequence[ModelSection], data: Dataset) -> None:
    features = item_features(data)
    if features is None:
        return
    if parts and isinstance(model, FeatureSection):
        features = features.chosen(model.features)
    for section in parts or (model,):
        if not isinstance(section, FeatureSection):
            continue
        if parts and section.features and not features.groups:
            raise InputError(
                f"model.features must name what the part {section.kind} reads, but is empty; leave "
                "it out, or leave out that part"
            )
        setting = f"features of the part {section.kind}, out of model.features," if parts else None
        features.chosen(section.features, setting or "model.features")
        if "item_features" in needs_of(section):
            readable(build_model(section), section, features)


def _require_user_features(
    model: ModelSection, parts: Sequence[ModelSection], data: Dataset
) -> None:
    users = user_features(data, data.users.ids[:0])
    if users is None:
        return
    if parts and isinstance(model, UserFeatureSection):
        users = users.chosen(model.user_features, "model.user_features", "users")
    for section in parts or (model,):
        if not isinstance(section, UserFeatureSection):
            continue
        if parts and section.user_features and not users.groups:
            raise InputError(
                f"model.user_features must name what the part {section.kind} reads, but is empty; "
                "leave it out, or leave out that part"
            )
        part = f"user_features of the part {section.kind}, out of model.user_features,"
        users.chosen(section.user_features, part if parts else "model.user_features", "users")


def needs_of(model: ModelSection) -> Needs:
    """Return what a model needs besides rows.

    Args:
        model: The model's section.

    Returns:
        What its class says, and ratings where it predicts some.

    Raises:
        InputError: If a class of a user's own says something else than needs.
    """
    built = build_model(model)
    ratings: Needs = {"ratings": "kind"} if built.predicts_ratings else {}
    return {**ratings, **checked_needs(built.needs(), type(built).__name__)}


def _lack(need: Need, data: Dataset) -> str:
    # What there is instead of what is needed; empty where nothing is missing.
    train = data.split.train
    match need:
        case "times":
            is_missing = train[TIMESTAMP].null_count == len(train)
            return "no row of the training part has one" if is_missing else ""
        case "item_features":
            return "" if data.item_features else "the dataset has none"
        case "user_features":
            return "" if data.user_features else "the dataset has none"
        case "weights":
            return _all_alike(data)
        case "ratings":
            return _why_no_ratings(data)


def _all_alike(data: Dataset) -> str:
    weights = pc.min_max(data.split.train[WEIGHT]).as_py()
    return f"all of them are {weights['min']:g}" if weights["min"] == weights["max"] else ""


def _why_no_ratings(data: Dataset) -> str:
    log, alike = data.config.log, _all_alike(data)
    if alike:
        return alike
    if log.half_life_days is not None:
        return "log.half_life_days makes old ones smaller"
    if log.duplicates != "last":
        return f"log.duplicates = {log.duplicates!r} adds those of one user and item up"
    return ""
