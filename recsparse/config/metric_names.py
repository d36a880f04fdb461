"""Names of metrics in a configuration: `ndcg@10`, `all@20`, `auc`, `my_module:my_metric@10`."""

import re
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, Field

from recsparse.config.plugins import OWN_NAME

COVERAGE, ALL, BEYOND, AUC = "coverage", "all", "beyond", "auc"
# What `all` stands for, with the coverage.
PER_USER = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")
# Lists against targets, each of a user's own.
ACCURACY = (*PER_USER, "ndcg_linear", "ndcg_exp", "capped_recall")
# Lists against training rows, against each other, and against features of their items.
BY_POPULARITY = ("novelty", "arp", "aplt", "popularity_lift", "new_items")
BY_FEATURES = ("ild", "unexpectedness", "serendipity")
BY_CATEGORIES = ("calibration",)
OF_ALL_LISTS = (COVERAGE, "user_coverage", "gini", "entropy")
BEYOND_ACCURACY = (*BY_POPULARITY, *BY_FEATURES, *BY_CATEGORIES, *OF_ALL_LISTS)
_GROUPS = {ALL: (*PER_USER, COVERAGE), BEYOND: BEYOND_ACCURACY}
_AT_LENGTHS = (*ACCURACY, *BEYOND_ACCURACY, *_GROUPS)

_LENGTH = r"@[1-9][0-9]{0,5}"
_OWN = OWN_NAME.pattern.strip("^$")
_SELECTING = re.compile(f"^({'|'.join(ACCURACY)}|{_OWN}){_LENGTH}$")
_REPORTED = re.compile(f"^(({'|'.join(_AT_LENGTHS)}){_LENGTH}|{AUC}|{_OWN}({_LENGTH})?)$")


def length_of(metric: str) -> int | None:
    """Return the list length in the name of a metric.

    Args:
        metric: A name such as `ndcg@10`.

    Returns:
        The number behind the sign; None for `auc`, and a function of users' own without one.

    Example:
        >>> length_of("recall@20")
        20
    """
    return int(metric.partition("@")[2]) if "@" in metric else None


def own_name(metric: str) -> str:
    """Return the function of users' own that a metric names.

    Args:
        metric: A name such as `my_module:my_metric@10`.

    Returns:
        `my_module:my_metric`; empty for a metric of this package.

    Example:
        >>> own_name("ndcg@10")
        ''
    """
    return metric.partition("@")[0] if ":" in metric else ""


def figure_name(metric: str) -> str:
    """Return what a metric is called in results.

    Args:
        metric: A name such as `my_module:my_metric@10`.

    Returns:
        The name without its module.

    Example:
        >>> figure_name("my_module:my_metric@10")
        'my_metric@10'
    """
    return metric.rpartition(":")[2]


def spelled_out(metric: str) -> list[str]:
    """Return the metrics that a name stands for.

    Args:
        metric: A name such as `all@20`.

    Returns:
        Those of the group, or the metric itself.

    Example:
        >>> spelled_out("all@5")[:2]
        ['ndcg@5', 'recall@5']
    """
    name, _, length = metric.partition("@")
    return [f"{each}@{length}" for each in _GROUPS[name]] if name in _GROUPS else [metric]


def is_of_all_lists(metric: str) -> bool:
    """Tell whether a metric is one figure of all lists together.

    Args:
        metric: A name such as `gini@10`.

    Returns:
        False for metrics of each user.
    """
    return metric.partition("@")[0] in OF_ALL_LISTS


def _selecting(name: str) -> str:
    if not _SELECTING.fullmatch(name):
        raise ValueError(
            f"it must be a metric of lists and their targets ({', '.join(ACCURACY)}) at the length "
            "of a list, as ndcg@10, or a function of your own at one, as my_module:my_metric@10"
            + _mended(name, ACCURACY)
        )
    return name


def _reported(name: str) -> str:
    if not _REPORTED.fullmatch(name):
        raise ValueError(
            "it must be one of those that `recsparse metrics` shows at the length of a list, as "
            "ndcg@10, all@10 or beyond@10, or auc, or a function of your own, as "
            "my_module:my_metric or my_module:my_metric@10" + _mended(name, (*_AT_LENGTHS, AUC))
        )
    return name


def _mended(name: str, known: tuple[str, ...]) -> str:
    # What comes closest, at the length that was given or one as an example; nothing else does.
    given, _, length = (part.strip() for part in name.lower().partition("@"))
    close = get_close_matches(given, known, n=1, cutoff=0.5)
    if not close:
        return ""
    at = f"@{length}" if re.fullmatch(_LENGTH, f"@{length}") else "@10"
    nearest = close[0] if close[0] == AUC else f"{close[0]}{at}"
    return f"; the nearest is {nearest}"


def _pattern(pattern: re.Pattern[str]) -> object:
    return Field(json_schema_extra={"pattern": pattern.pattern})


# What validation judges by: of each user, and of lists of a known length.
SelectingMetric = Annotated[str, AfterValidator(_selecting), _pattern(_SELECTING)]
# What evaluations report.
ReportedMetric = Annotated[str, AfterValidator(_reported), _pattern(_REPORTED)]
