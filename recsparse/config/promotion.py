"""The configuration of promotions: when a model takes the place of the champion."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from recsparse.config.metric_names import ReportedMetric, SelectingMetric
from recsparse.config.section import Section
from recsparse.config.slice_names import SliceName
from recsparse.config.units import Share, Users

PromotionRule = Literal["better", "not_worse"]

_REPORTED = TypeAdapter(ReportedMetric)


def metric_in(figure: str) -> str:
    """Return the metric that a figure of a run is of.

    Args:
        figure: A metric such as `coverage@10`, or one of a group, as in `new_users_recall@20`.

    Returns:
        The metric.

    Raises:
        ValueError: If it is none.

    Example:
        >>> metric_in("new_users_hit_rate@20")
        'hit_rate@20'
    """
    words = figure.split("_")
    for start in range(len(words)):
        name = "_".join(words[start:])
        try:
            _REPORTED.validate_python(name)
        except ValidationError:
            continue
        if not name.startswith("all@"):
            return name
    raise ValueError(
        f"a guard must be a metric at the length of a list, as coverage@10, or one of a group, as "
        f"new_users_recall@20, but is {figure}"
    )


def _figure(name: str) -> str:
    metric_in(name)
    return name


# Figures, and the share of the champion's that may be lost of each.
Guards = dict[Annotated[str, AfterValidator(_figure)], Annotated[Share, Field(ge=0, le=1)]]


class PromotionConfig(Section):
    """When a model takes the place of the champion on a test part.

    Attributes:
        rule: `better`: it must be shown to be better by more than `margin`; `not_worse`: it must be
            shown that it is worse by less than `margin`, which then is above 0.
        metric: The metric of each user that the rule is about, as in `ndcg@10`.
        margin: Share of the champion's mean.
        p: How often, at most, a model that is just at the margin may be promoted: the p-value of a
            one-sided paired t-test over users must be below it.
        min_users: Users with test rows; of fewer nothing is told.
        guards: Figures that must not become worse, and the share of the champion's by which each
            may: metrics such as `coverage@10`, and those of slices, such as `new_items_recall@20`.
            They are compared as measured; of `gini@10` and others that are the better the lower
            they are, worse is higher.
        slices: Kinds of slices, named as in `evaluation.slices`, none of which may be shown to have
            fallen in `metric`: at `p`, adjusted for their number, where it has `min_users` users.
        slices_may_fall: Share of the champion's mean over the slice by which each may.
    """

    rule: PromotionRule = "better"
    metric: SelectingMetric = "ndcg@10"
    margin: Share = Field(default=0.0, ge=0, lt=1)
    p: Share = Field(default=0.05, gt=0, lt=0.5)
    min_users: Users = Field(default=100, ge=2)
    guards: Guards = Field(default_factory=dict)
    slices: tuple[SliceName, ...] = ()
    slices_may_fall: Share = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _not_worse_by_what(self) -> "PromotionConfig":
        if self.rule == "not_worse" and self.margin == 0:
            raise ValueError(
                "margin must be above 0 with the rule not_worse: that a model is not worse by "
                "anything at all can only be shown of a better one; set margin, as in 0.01"
            )
        return self

    def metrics(self) -> list[str]:
        """Return the metrics that must be measured for the rule."""
        return [*dict.fromkeys([self.metric, *map(metric_in, self.guards)])]
