"""Pictures of a search: its trials one after the other, and what each setting does."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from recsparse.config.search_space import Range, SearchSpace

_COLOURS = {"complete": "tab:blue", "pruned": "tab:orange", "failed": "tab:red"}
_MARKERS = {"complete": "o", "pruned": "x", "failed": "|"}
_COLUMNS = 3
_LONGEST_LABEL = 24


def plot_trials(trials: pd.DataFrame, metric: str) -> Figure:
    """Draw the metric of each trial in the order of the search, and the best so far.

    Args:
        trials: One row per trial, as a search returns them.
        metric: Name of the metric; of `rmse`, less is better.

    Returns:
        One figure; trials that failed are marks at its foot.
    """
    trials = trials.sort_values("trial")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    _draw_states(axes, trials, "trial", metric)
    complete = trials[trials["state"] == "complete"]
    best = complete[metric].cummin() if metric == "rmse" else complete[metric].cummax()
    axes.step(complete["trial"], best, where="post", color="tab:blue", label="best so far")
    _frame_to_complete(axes, trials, metric)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.set_xlabel("trial")
    axes.set_ylabel(f"validation {metric}")
    axes.legend(frameon=False)
    return figure


def plot_settings(
    trials: pd.DataFrame, metric: str, space: SearchSpace, importances: Mapping[str, float]
) -> Figure:
    """Draw the metric of each trial over each setting, the important ones first.

    Args:
        trials: One row per trial, as a search returns them.
        metric: Name of the metric.
        space: What was tried; settings that had one value alone are left out.
        importances: Share of each setting in how the trials differ; none where it is not known.

    Returns:
        One figure, a panel a setting.
    """
    drawn = [key for key in space if trials[key].map(str).nunique() > 1] or [*space][:1]
    drawn.sort(key=lambda key: -importances.get(key, 0.0))
    columns = min(_COLUMNS, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    figure = Figure(figsize=(1 + 3.2 * columns, 0.6 + 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, key in zip(panels, drawn, strict=False):
        _draw_setting(axes, trials, metric, key, space[key])
        share = f", {importances[key]:.0%} of the difference" if key in importances else ""
        axes.set_title(f"{key}{share}", fontsize="medium")
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    for axes in panels[::columns]:
        axes.set_ylabel(f"validation {metric}")
    _frame_to_complete(panels[0], trials, metric)
    return figure


def _draw_setting(
    axes: Axes, trials: pd.DataFrame, metric: str, key: str, tried: Sequence[Any] | Range
) -> None:
    if isinstance(tried, Range):
        axes.set_xscale("log" if tried.log else "linear")
        _draw_states(axes, trials, key, metric)
        return
    places = {str(value): place for place, value in enumerate(tried)}
    _draw_states(
        axes, trials.assign(place=trials[key].map(lambda each: places[str(each)])), "place", metric
    )
    axes.set_xticks([*places.values()], [_short(value) for value in places])
    axes.set_xlim(-0.5, len(places) - 0.5)


def _short(value: str) -> str:
    # Settings such as the parts of a blend are long, and would leave no room for the picture.
    return value if len(value) <= _LONGEST_LABEL else f"{value[: _LONGEST_LABEL - 1]}…"


def _draw_states(axes: Axes, trials: pd.DataFrame, x: str, metric: str) -> None:
    for state, colour in _COLOURS.items():
        some = trials[trials["state"] == state]
        if some.empty:
            continue
        marker = _MARKERS[state]
        if state == "failed":
            axes.plot(
                some[x], [0.02] * len(some), marker, color=colour, label=state,
                transform=axes.get_xaxis_transform(),
            )  # fmt: skip
        else:
            axes.plot(some[x], some[metric], marker, color=colour, label=state, markersize=4)


def _frame_to_complete(axes: Axes, trials: pd.DataFrame, metric: str) -> None:
    # A few trials that are far off would leave no room for those that count.
    figures = trials.loc[trials["state"] == "complete", metric]
    low, high = figures.quantile(0.1), figures.max()
    if metric == "rmse":
        low, high = figures.min(), figures.quantile(0.9)
    margin = 0.08 * (high - low)
    if margin > 0:
        axes.set_ylim(low - 2 * margin, high + 2 * margin)
