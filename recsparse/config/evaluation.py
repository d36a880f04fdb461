"""The configuration of evaluation: what is reported, and what validation chooses by."""

import logging
from typing import Any

from pydantic import Field, model_validator

from recsparse.config.choices import Catalogue, IncludeUsers, MissingUsers
from recsparse.config.metric_names import (
    ReportedMetric,
    SelectingMetric,
    figure_name,
    is_of_all_lists,
    length_of,
    own_name,
)
from recsparse.config.section import Section
from recsparse.config.slice_names import NAMES, SliceName
from recsparse.config.units import Items, Users

logger = logging.getLogger(__name__)

_LENGTHS_OF_OLDER_BUILDS = [10, 20]


class EvaluationConfig(Section):
    """What evaluation reports, and what validation chooses by.

    Attributes:
        metrics: What is reported, in this order: metrics at a list length, as in `ndcg@10`, all
            of which `recsparse metrics` shows; `all@20` for `ndcg`, `recall`, `precision`, `map`,
            `mrr`, `hit_rate` and `coverage`; `beyond@20` for those of diversity, novelty,
            popularity and calibration that the dataset knows enough for; `auc`; and functions of
            your own, as in `module:function@10`, which without a length judge the longest lists.
            The first metric is that of the picture and of significance.
        select_by: The metric on the validation part by which a training stops, a search chooses
            and a blend is weighed, as in `recall@20`, or one of your own, the larger the better;
            models of ratings go by their RMSE.
        batch_users: Users, or lists of users, scored at a time.
        catalogue: Items of the test, ranked and wanted: those of the training part (`known`);
            `all`, where an item that a model does not know is a miss for it; those that every
            compared model knows (`common`); or the test items without training rows, ranked among
            themselves (`new`). Not set, it is `known` where every test item has training rows, and
            else `all`.
        include_users: Users of the test: those with training rows (`known`), those without, who
            are folded in by what they did before their test rows (`new`), or `all`.
        slices: What figures are also shown apart by: `history` (items known of a user), `users`
            and `items` (with training rows and without), `popularity` (of the target items),
            `time` (days since training, in splits by time), `columns` of the tables of users and
            items, or some of these, as in `users.gender` and `items.genre`.
        missing_users: Test users that one of several files of other systems has and another lacks:
            an `error`; each scores 0 where it is missing (`zero`); or all files are compared on the
            users that every one has (`common`).
        sampled_negatives: Rank each user's targets among so many random items instead of the whole
            catalogue. Such figures are higher than those of the catalogue, depend on the number,
            and may order models otherwise: compare them with figures that were sampled alike alone.
    """

    metrics: tuple[ReportedMetric, ...] = Field(default=("all@10", "all@20"), min_length=1)
    select_by: SelectingMetric = "ndcg@10"
    batch_users: Users = Field(default=1024, ge=1)
    catalogue: Catalogue | None = None
    include_users: IncludeUsers = "all"
    slices: tuple[SliceName, ...] = NAMES
    missing_users: MissingUsers = "error"
    sampled_negatives: Items | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _list_lengths_of_older_builds(cls, values: Any) -> Any:
        lengths = values.get("k") if isinstance(values, dict) else None
        if not isinstance(lengths, list | tuple):
            return values
        rest = {name: value for name, value in values.items() if name != "k"}
        own = rest.get("metrics", ())
        if not isinstance(own, list | tuple):
            return rest  # refused as what it is
        # Older builds had functions of users' own alone in `metrics`.
        if any(length_of(str(name)) for name in own):
            if [*lengths] == _LENGTHS_OF_OLDER_BUILDS:
                return rest
            raise ValueError(
                "k is a setting of older builds, and metrics has list lengths of its own; leave k "
                "out"
            )
        metrics = [*(f"all@{k}" for k in lengths), *own]
        if [*lengths] != _LENGTHS_OF_OLDER_BUILDS:
            logger.warning(
                "evaluation.k is a setting of older builds, now evaluation.metrics, which is %r "
                "here; set that, and leave evaluation.k out",
                metrics,
            )
        return {**rest, "metrics": metrics}

    @model_validator(mode="after")
    def _can_be_measured(self) -> "EvaluationConfig":
        lengths = [length_of(name) for name in self.metrics]
        if not any(lengths):
            example = next(filter(own_name, self.metrics), "recall")
            raise ValueError(
                "metrics must say how long the lists are: name one at a length, as in ndcg@10 or "
                f"{example}@10"
            )
        if all(is_of_all_lists(name) for name in self.metrics):
            raise ValueError(
                "metrics must have one of each user, such as ndcg@10, but has "
                f"{' and '.join(self.metrics)} alone"
            )
        own = {name for name in (*self.metrics, self.select_by) if own_name(name)}
        if len({figure_name(name) for name in own}) < len(own):
            raise ValueError(
                "functions of your own go by their names without their modules, and must have "
                f"different ones, but are {', '.join(sorted(own))}"
            )
        return self
