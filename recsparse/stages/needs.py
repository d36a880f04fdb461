"""Whether a dataset has what a configured model needs, before anything is fitted."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow.compute as pc

from recsparse.config.feature_section import FeatureSection, UserFeatureSection
from recsparse.config.model_section import ModelSection
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.schema import TIMESTAMP, WEIGHT
from recsparse.errors import InputError
from recsparse.models.content.wanted_features import readable
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.needs import Need, Needs, checked_needs, unmet
from recsparse.models.protocol.own_loss import own_loss
from recsparse.models.registry import build_model
from recsparse.stages.item_features import item_features
from recsparse.stages.user_features import user_features


class _Setting(NamedTuple):
    """A setting that names features: of which sections, how it is called, and whose they are."""

    section: type[ModelSection]
    name: str
    owners: str


_OF_ITEMS = _Setting(FeatureSection, "features", "items")
_OF_USERS = _Setting(UserFeatureSection, "user_features", "users")


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
    _require_item_features(model, parts, data)
    _require_user_features(model, parts, data)


def _require_item_features(
    model: ModelSection, parts: Sequence[ModelSection], data: Dataset
) -> None:
    features = item_features(data)
    if features is None:
        return
    features = _named(model, parts, features, _OF_ITEMS)
    for section in parts or (model,):
        if isinstance(section, FeatureSection) and "item_features" in needs_of(section):
            readable(build_model(section), section, features)


def _require_user_features(
    model: ModelSection, parts: Sequence[ModelSection], data: Dataset
) -> None:
    users = user_features(data, data.users.ids[:0])
    if users is not None:
        _named(model, parts, users, _OF_USERS)


def _named(
    model: ModelSection, parts: Sequence[ModelSection], features: Features, setting: _Setting
) -> Features:
    # Returns the features that the parts may read; an error says which name is none of them.
    kind, name, owners = setting
    if parts and isinstance(model, kind):
        features = features.chosen(getattr(model, name), f"model.{name}", owners)
    for section in parts or (model,):
        if not isinstance(section, kind):
            continue
        wanted = getattr(section, name)
        if parts and wanted and not features.groups:
            raise InputError(
                f"model.{name} must name what the part {section.kind} reads, but is empty; leave "
                "it out, or leave out that part"
            )
        of_part = f"{name} of the part {section.kind}, out of model.{name},"
        features.chosen(wanted, of_part if parts else f"model.{name}", owners)
    return features


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
