"""Names of metrics in a configuration: `ndcg@10`, `all@20`, `my_module:my_metric@10`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from recsparse.config.plugins import OWN_NAME

PER_USER = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")
COVERAGE, ALL = "coverage", "all"
_LENGTH = r"@[1-9][0-9]{0,5}"
_OWN = OWN_NAME.pattern.strip("^$")
_SELECTING = re.compile(f"^({'|'.join(PER_USER)}|{_OWN}){_LENGTH}$")
_REPORTED = re.compile(f"^(({'|'.join([*PER_USER, COVERAGE, ALL])}){_LENGTH}|{_OWN}({_LENGTH})?)$")


def length_of(metric: str) -> int | None:
    """Return the list length in the name of a metric.

    Args:
        metric: A name such as `ndcg@10`.

    Returns:
        The number behind the sign; None for a function of users' own without one.

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


def _selecting(name: str) -> str:
    if not _SELECTING.fullmatch(name):
        raise ValueError(
            "it must be one of ndcg, recall, precision, map, mrr and hit_rate at the length of a "
            "list, as ndcg@10, or a function of your own at one, as my_module:my_metric@10"
        )
    return name


def _reported(name: str) -> str:
    if not _REPORTED.fullmatch(name):
        raise ValueError(
            "it must be one of ndcg, recall, precision, map, mrr, hit_rate, coverage and all (of "
            "these) at the length of a list, as ndcg@10, or a function of your own, as "
            "my_module:my_metric or my_module:my_metric@10"
        )
    return name


def _pattern(pattern: re.Pattern[str]) -> object:
    return Field(json_schema_extra={"pattern": pattern.pattern})


# What validation judges by: of each user, and of lists of a known length.
SelectingMetric = Annotated[str, AfterValidator(_selecting), _pattern(_SELECTING)]
# What evaluations report.
ReportedMetric = Annotated[str, AfterValidator(_reported), _pattern(_REPORTED)]
