"""What models need besides rows, and what is said where it is missing."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from recsparse.errors import InputError

# Times of the rows, features of the items, those of the users, weights that differ, and weights
# that are ratings.
Need = Literal["times", "item_features", "user_features", "weights", "ratings"]
Needs = Mapping[Need, str]

_WHAT: Mapping[Need, str] = {
    "times": "the time of each interaction",
    "item_features": "features of the items",
    "user_features": "features of the users",
    "weights": "weights that differ",
    "ratings": "weights that are ratings",
}
_CURE: Mapping[Need, str] = {
    "times": "prepare a log with log.timestamp_column",
    "item_features": "prepare the log with --items, or with text.log_columns",
    "user_features": "prepare the log with --users, and name columns of it in "
    "features.user_categories, features.user_numbers, features.user_vectors or text.user_columns",
    "weights": "prepare the log with --set log.weight_column=weight, or whatever it is called",
    "ratings": "prepare the log with --set log.weight_column=rating, or whatever the column of "
    "ratings is called, and without log.half_life_days and log.duplicates",
}


def unmet(need: Need, kind: str, setting: str, found: str) -> str:
    """Say that a model lacks something.

    Args:
        need: What it lacks.
        kind: Of the model.
        setting: Which of its settings needs that; `kind` where they all do.
        found: What there is instead.

    Returns:
        A message that names the setting, and what mends it.

    Example:
        >>> print(unmet("times", "ease", "window_events", "there is none"))
        window_events of the model ease needs the time of each interaction, but there is none; \
prepare a log with log.timestamp_column, or leave window_events out
    """
    of_all = setting == "kind"
    asker = f"the model {kind}" if of_all else f"{setting} of the model {kind}"
    other = "choose another kind of model" if of_all else f"leave {setting} out"
    return f"{asker} needs {_WHAT[need]}, but {found}; {_CURE[need]}, or {other}"


def checked_needs(needs: Any, owner: str) -> Needs:
    """Return what a model says that it needs; one of a user's own may say anything.

    Args:
        needs: What `Recommender.needs` returned.
        owner: The class of the model, for the error.

    Returns:
        The needs.

    Raises:
        InputError: If a need is not known.
    """
    known = get_args(Need)
    if isinstance(needs, Mapping) and all(need in known for need in needs):
        return needs
    raise InputError(
        f"{owner}.needs must return some of {', '.join(known)}, each with the setting that needs "
        f"it, as in {{'times': 'kind'}}, but returns {needs!r}"
    )
