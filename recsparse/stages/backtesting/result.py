"""BacktestResult: the figures of models over windows of time, or over folds and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from recsparse.evaluation.nested_mean import nested_mean
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.seeds import differences_over_seeds, seeds_table
from recsparse.metrics.definitions import definition
from recsparse.reporting.value_text import value_text
from recsparse.stages.backtesting.cells import Cell, user_table
from recsparse.stages.backtesting.plan import BacktestSplit

# The cells of each model and split, one a seed.
ModelCells = Mapping[str, Mapping[str, Sequence[Cell]]]


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """Models side by side over several splits of one log.

    Attributes:
        splits: The splits.
        cells: What each model reached on each of them, with each seed of the split.
    """

    splits: Sequence[BacktestSplit]
    cells: ModelCells

    def __str__(self) -> str:
        """Return the table over all splits for the first metric."""
        table = of_metric(self.table, self.metric)
        caption = f"{self.metric}, {len(self.splits)} splits"
        return f"{caption}\n{table.to_string(float_format=value_text)}"

    @cached_property
    def results(self) -> dict[str, dict[str, RankingResult]]:
        """The figures of each model and split, of several seeds their means per user."""
        return {
            model: {split: _mean_of_seeds(cells) for split, cells in by_split.items()}
            for model, by_split in self.cells.items()
        }

    @property
    def reference(self) -> str:
        """The model that the others are compared with: the first."""
        return next(iter(self.cells))

    @property
    def metric(self) -> str:
        """The metric of the picture and of the verdict: the first that all models have."""
        found = [each.per_user for by_split in self.results.values() for each in by_split.values()]
        return next(name for name in found[0] if all(name in each for each in found))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per model and metric, as of `seeds_table`, and `best in`: in how many splits.

        The latter is NaN of a metric of which neither more nor less is better.
        """
        table = seeds_table(self.results)
        metric = table.index.get_level_values("metric")
        best = {name: self._best_in(name) for name in dict.fromkeys(metric)}
        table["best in"] = [best[name].get(model, float("nan")) for model, name in table.index]
        return table

    @cached_property
    def differences(self) -> pd.DataFrame:
        """The reference against each other model, as of `differences_over_seeds`."""
        return differences_over_seeds(self.results, self.reference)

    @cached_property
    def windows(self) -> pd.DataFrame:
        """One row per split, model and metric.

        `mean`, its `standard error` and the bounds of its interval of 95 % are over the `users` of
        the split, and over its seeds; `start` and `end` are those of a window.
        """
        rows = [
            {
                "split": split.name,
                "number": split.number,
                "start": split.start,
                "end": split.end,
                "model": model,
                "metric": metric,
                "users": self.results[model][split.name].num_users,
                **_over_users(cells, metric),
            }
            for split in self.splits
            for model in self.cells
            for cells in [self.cells[model][split.name]]
            for metric in cells[0].result.per_user
        ]
        return pd.DataFrame(rows)

    @cached_property
    def users(self) -> pd.DataFrame:
        """One row per split, seed, model and user: their id, whether they are new, all metrics."""
        frames = []
        for split in self.splits:
            for model, by_split in self.cells.items():
                for seed, cell in zip(split.seeds, by_split[split.name], strict=True):
                    frame = user_table(cell.result).to_pandas()
                    about = {"split": split.name, "seed": seed, "model": model}
                    for place, (name, value) in enumerate(about.items()):
                        frame.insert(place, name, value)
                    frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def _best_in(self, metric: str) -> dict[str, int]:
        known = definition(metric)
        better = "higher" if known is None else known.better
        if better == "neither":
            return {}
        found = dict.fromkeys(self.results, 0)
        for split in self.splits:
            means = {
                model: self.results[model][split.name].mean()[metric]
                for model in self.results
                if metric in self.results[model][split.name].per_user
            }
            best = max(means.values()) if better == "higher" else min(means.values())
            for model, mean in means.items():
                found[model] += mean == best
        return found


def of_metric(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the rows of one metric.

    Args:
        table: With `metric` as a level of its index.
        metric: Such as `ndcg@10`.

    Returns:
        Its rows, by the other level.
    """
    rows = table[table.index.get_level_values("metric") == metric]
    return rows.droplevel("metric")


def _mean_of_seeds(cells: Sequence[Cell]) -> RankingResult:
    # All seeds of a split have the same users.
    results = [cell.result for cell in cells]
    first = results[0]
    if len(results) == 1:
        return first
    per_user = {
        name: np.mean([each.per_user[name] for each in results], axis=0) for name in first.per_user
    }
    coverage = {
        name: float(np.mean([each.coverage[name] for each in results])) for name in first.coverage
    }
    overall = {
        name: float(np.mean([each.overall[name] for each in results])) for name in first.overall
    }
    return replace(first, per_user=per_user, coverage=coverage, overall=overall)


def _over_users(cells: Sequence[Cell], metric: str) -> dict[str, float]:
    values = [cell.result.per_user[metric] for cell in cells]
    found = nested_mean(values, [np.arange(len(each)) for each in values])
    low, high = found.interval()
    return {"mean": found.mean, "standard error": found.error, "low": low, "high": high}
