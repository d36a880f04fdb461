"""RankedFrame: a frame of candidates ranked by its scores, in figures, tables and pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import ValidationError

from recsparse.config.metric_names import length_of
from recsparse.config.ranker import RankerConfig
from recsparse.errors import ConfigError, InputError, SchemaError, nearest
from recsparse.evaluation.candidates import Candidates
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.slices import slice_key
from recsparse.evaluation.slices_of_candidates import candidate_slices


@dataclass(frozen=True, eq=False)
class RankedFrame:
    """What is told of a ranking.

    Attributes:
        result: Metrics of each user.
        slices: Metrics of groups, as `slice_table` has them.
        prefix: What names begin with.
    """

    result: RankingResult
    slices: pd.DataFrame
    prefix: str = ""

    def figures(self) -> dict[str, float]:
        """Return all figures by the names that MLflow takes, NaN where one is undefined."""
        found = {**self.result.mean(), **self.result.coverage}
        counts = len(next(iter(self.result.per_user.values())))
        found |= {"users": self.result.num_users}
        found |= {"users_without_targets": counts - self.result.num_users}
        for row in self.slices.itertuples():
            found[f"{slice_key(str(row.slice))}_{row.metric}"] = float(str(row.mean))
        return {
            f"{self.prefix}{name.replace('@', '_at_')}": float(value)
            for name, value in found.items()
        }

    def per_user(self) -> pd.DataFrame:
        """Return the metrics of each user, with their ids in `user_id`."""
        ids = [] if self.result.user_ids is None else self.result.user_ids.to_pylist()
        return pd.DataFrame({"user_id": ids, **self.result.per_user})

    def pictures(self) -> dict[str, Figure]:
        """Return the pictures by name: metrics of lists by length, and the slices where there are.

        Returns:
            Figures.
        """
        found = {"metrics": _plot_metrics(self.result)}
        if len(self.slices):
            found["slices_of_metric"] = _plot_slices(self.slices)
        return found


def ranked_frame(
    frame: pd.DataFrame,
    config: Mapping[str, Any],
    scores: Any = None,
    targets: Any = None,
    score_column: str | None = None,
    target_column: str | None = None,
) -> RankedFrame:
    """Rank a frame of candidates.

    Args:
        frame: One row per user and item.
        config: Of `RankerConfig`.
        scores: What a model said of the rows: numbers, or a frame with a column of them; None
            where the frame has them.
        targets: What was wanted, one per row; None where the frame has it.
        score_column: The column of the scores; None for that of the configuration.
        target_column: The column of the targets, where `targets` were taken from; None for that of
            the configuration.

    Returns:
        The ranking.

    Raises:
        ConfigError: If the configuration has an unknown key or a metric that is none.
        SchemaError: If a column is missing.
        InputError: If the candidates break a rule.
    """
    try:
        settings = RankerConfig.model_validate(dict(config))
    except ValidationError as error:
        found = error.errors()[0]
        key = ".".join(map(str, found["loc"]))
        is_unknown = found["type"] == "extra_forbidden"
        what = "there is no such key" if is_unknown else found["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"evaluator_config is wrong at {key!r}: {what}; its keys are "
            f"{', '.join(RankerConfig.model_fields)}"
        ) from error
    column = score_column or settings.score
    given = _column(frame, column) if scores is None else _of_model(scores, column)
    wanted = _column(frame, target_column or settings.target) if targets is None else targets
    candidates = Candidates.of_frame(frame, given, wanted, settings)
    result = candidates.result(settings.metrics)
    if result.num_users == 0:
        raise InputError(
            f"at least one user must have wanted a candidate, but of {len(candidates.user_ids)} "
            "users none has a target above 0"
        )
    slices = candidate_slices(candidates, result, frame, settings.slices)
    return RankedFrame(result, slices, settings.prefix)


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame:
        raise SchemaError(
            f"candidates must have the column {name!r}; {nearest(name, map(str, frame))}; name it "
            "in evaluator_config, or as predictions and targets"
        )
    return frame[name]


def _of_model(scores: Any, column: str) -> Any:
    if not isinstance(scores, pd.DataFrame):
        return scores
    if column in scores:
        return scores[column]
    if scores.shape[1] == 1:
        return scores.iloc[:, 0]
    raise SchemaError(
        f"a model must answer with one score per row, but answers with the columns "
        f"{', '.join(map(str, scores))}; name that of the scores as predictions"
    )


def _plot_metrics(result: RankingResult) -> Figure:
    means, errors = result.mean(), result.standard_error()
    names = [*means]
    figure = Figure(figsize=(7, 1 + 0.35 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        names,
        [means[name] for name in names],
        xerr=np.nan_to_num([errors.get(name, 0.0) for name in names]),
        color="tab:blue",
    )
    axes.bar_label(bars, fmt="%.4f", padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(f"mean and standard error over {result.num_users:,} users")
    return figure


def _plot_slices(slices: pd.DataFrame) -> Figure:
    metric = slices["metric"].iloc[0]
    if length_of(metric) is None:
        metric = next((name for name in slices["metric"] if length_of(name)), metric)
    shown = slices[slices["metric"] == metric]
    names = [f"{row.slice} ({row.users:,})" for row in shown.itertuples()]
    figure = Figure(figsize=(7, 1 + 0.35 * len(names)), layout="constrained")
    axes = figure.subplots()
    half = np.nan_to_num((shown["high"] - shown["mean"]).to_numpy(dtype=float))
    colors = np.where(shown["is_small"].astype(bool), "lightgrey", "tab:blue").tolist()
    axes.barh(names, shown["mean"].astype(float), xerr=half, color=colors)
    axes.invert_yaxis()
    axes.set_xlabel(f"{metric}, mean and 95 % interval; grey: few users, whose number is in ()")
    return figure
