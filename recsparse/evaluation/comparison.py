"""Comparison: models side by side on one part, in all that is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from recsparse.config.choices import Catalogue
from recsparse.datasets.evaluated.part_counts import PartCounts
from recsparse.errors import InputError
from recsparse.evaluation.comparison_tables import compared_on, comparison_table, group_tables
from recsparse.evaluation.examples import Example, Titles, examples
from recsparse.evaluation.listed_metrics import length_table
from recsparse.evaluation.popularity import popularity_table
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.significance import significance_tables
from recsparse.evaluation.slices import COLUMNS, slice_tables
from recsparse.evaluation.slices_of_part import SlicedPart
from recsparse.evaluation.verdict import verdict
from recsparse.reporting.value_text import value_text


def _no_slices() -> pd.DataFrame:
    return pd.DataFrame(columns=["model", *COLUMNS])


@dataclass(frozen=True)
class Comparison:
    """Models side by side on one test part.

    Attributes:
        results: Metrics of each model, a user at a time, and how much of the test part they are of;
            the first model is the reference.
        table: One row per model: users with test rows, mean and standard error of each metric,
            coverage, the test items that the model does not know and their rows, and `fit seconds`,
            NaN where they were not recorded.
        groups: Such a table of the users with training rows, `known users`, and of those without,
            `new users`; empty where all are of one group.
        slices: What `slice_tables` returns: the figures of each model over some users or target
            items, with their intervals.
        significance: By metric, the reference against each other model, as `significance_table`
            has it.
        popularity: What `popularity_table` returns: how popular the items are that are consumed,
            and those that each model recommends.
        by_length: What `length_table` returns: the first metric at list lengths from 1 on.
        examples: What each model recommends to some users.
        sliced: The users, targets and slices that the figures are of; None where the targets were
            not at hand.
    """

    results: dict[str, RankingResult]
    table: pd.DataFrame
    groups: dict[str, pd.DataFrame]
    slices: pd.DataFrame = field(default_factory=_no_slices)
    significance: dict[str, pd.DataFrame] = field(default_factory=dict)
    popularity: pd.DataFrame = field(default_factory=pd.DataFrame)
    by_length: pd.DataFrame = field(default_factory=pd.DataFrame)
    examples: list[Example] = field(default_factory=list)
    sliced: SlicedPart | None = None

    def __str__(self) -> str:
        """Return the table of the models, one column each, what it is of, and the verdict."""
        caption = compared_on(self.results[self.reference])
        lines = [caption, self.table.T.to_string(float_format=value_text), *self.verdict]
        return "\n".join(lines)

    @property
    def catalogue(self) -> Catalogue | None:
        """Which items are ranked, `known` or `all` where `evaluation.catalogue` is not set."""
        return self.results[self.reference].catalogue

    @property
    def part(self) -> PartCounts | None:
        """How many users and rows of the test part training knows, and how many are evaluated."""
        return self.results[self.reference].part

    @property
    def reference(self) -> str:
        """The model that the others are tested against."""
        return next(iter(self.results))

    @property
    def metric(self) -> str:
        """The first metric that all models have, which pictures and the verdict are about."""
        return common_metrics(self.results)[0]

    @property
    def verdict(self) -> list[str]:
        """What the reference is better or worse than, in sentences."""
        if self.metric not in self.significance:
            return []
        return verdict(self.reference, self.metric, self.significance[self.metric])


def compare(
    results: dict[str, RankingResult],
    seconds: Mapping[str, float] | None = None,
    sliced: SlicedPart | None = None,
    seed: int = 0,
    titles: Titles | None = None,
) -> Comparison:
    """Lay the results of models side by side.

    Args:
        results: One result a model, all on the same users; the first is the reference.
        seconds: What each fit took, where that is known.
        sliced: The part that they are of, and its slices; None leaves out what takes targets.
        seed: Of the bootstrap, the randomisation, and the draw of examples.
        titles: Returns a title for each of some item ids; None makes no examples.

    Returns:
        The comparison.

    Raises:
        InputError: If there is no result, the users differ, or no metric is common to all models.
    """
    reference, table = next(iter(results), ""), comparison_table(results)
    metrics = common_metrics(results)
    if seconds is not None:
        table["fit seconds"] = [seconds[model] for model in results]
    compared = Comparison(
        results,
        table,
        group_tables(results),
        significance=significance_tables(results, reference, metrics, seed),
    )
    if sliced is None:
        return compared
    return replace(
        compared,
        slices=slice_tables(results, sliced.slices, sliced.part),
        popularity=popularity_table(results, sliced.part, sliced.training_rows),
        by_length=length_table(results, sliced.part, metrics[0]),
        examples=[] if titles is None else examples(results, sliced.part, titles, seed),
        sliced=sliced,
    )


def common_metrics(results: Mapping[str, RankingResult]) -> list[str]:
    """Return the metrics of each user that all models have, in the order of the first model.

    Args:
        results: One result a model.

    Returns:
        At least one name.

    Raises:
        InputError: If there is none.
    """
    first = next(iter(results.values()), None)
    named = [] if first is None else first.per_user
    # Models of ratings have metrics that others lack.
    common = [name for name in named if all(name in each.per_user for each in results.values())]
    if not common:
        raise InputError(f"models must have a metric in common, but {[*results]} have none")
    return common
