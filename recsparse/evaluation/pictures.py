"""Pictures of comparisons, which pages and runs show."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recsparse.evaluation.comparison import Comparison
from recsparse.evaluation.popularity import NEW, THIRDS
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.metrics.definitions import definition

_WIDTH = 4.4
# Told apart by most eyes and on grey paper (Okabe and Ito 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_SHADES = ("#08519c", "#6baed6", "#c6dbef", "#f0a860")
_GREY = "#888888"


def pictures(compared: Comparison) -> dict[str, Figure]:
    """Draw all that a comparison has.

    Args:
        compared: The comparison.

    Returns:
        Figures by their headings; what has nothing to show is left out.
    """
    draw: Mapping[str, Callable[[Comparison], Figure | None]] = {
        f"{compared.metric} of each model": lambda it: plot_comparison(it.results, it.metric),
        f"Gain of {compared.reference} over each": plot_gains,
        f"{compared.metric.partition('@')[0]} by length of the list": plot_by_length,
        f"{compared.metric} by items known of the user": plot_by_history,
        "Popularity of what is recommended and consumed": plot_popularity,
    }
    drawn = {heading: make(compared) for heading, make in draw.items()}
    return {heading: figure for heading, figure in drawn.items() if figure is not None}


def plot_comparison(results: Mapping[str, RankingResult], metric: str) -> Figure:
    """Draw one bar a model with its standard error, the best on top; of errors, the lowest.

    Args:
        results: One result a model.
        metric: Such as `ndcg@10`.

    Returns:
        A figure.
    """
    means = {model: result.mean()[metric] for model, result in results.items()}
    known = definition(metric)
    lower_first = known is not None and known.better == "lower"
    models = sorted(means, key=means.__getitem__, reverse=lower_first)
    errors = np.nan_to_num([results[model].standard_error()[metric] for model in models])
    colours = dict(zip(results, _colours(len(results)), strict=True))
    figure, axes = _figure(0.9 + 0.4 * len(models))
    shades = [colours[model] for model in models]
    bars = axes.barh(models, [means[model] for model in models], xerr=errors, color=shades)
    axes.bar_label(bars, fmt="%.4f", padding=4, fontsize=8)
    axes.set_xlabel(f"{metric}, mean and standard error over users")
    axes.margins(x=0.25)
    return figure


def plot_gains(compared: Comparison) -> Figure | None:
    """Draw the gain of the reference over each other model, in percent with its interval.

    Args:
        compared: The comparison.

    Returns:
        A figure; None where there is no other model, or no ratio to it.
    """
    tested = compared.significance.get(compared.metric, pd.DataFrame(columns=["ratio low"]))
    tested = tested[tested["ratio low"].notna()][::-1]
    if tested.empty:
        return None
    gain, low, high = (
        100 * (tested[name].to_numpy() - 1) for name in ("ratio", "ratio low", "ratio high")
    )
    is_shown = tested[["p", "p randomisation"]].max(axis=1) < 0.05
    figure, axes = _figure(1.2 + 0.5 * len(tested))
    for place, shown in enumerate(is_shown):
        error = [[max(gain[place] - low[place], 0)], [max(high[place] - gain[place], 0)]]
        colour = _COLOURS[0] if shown else _GREY
        axes.errorbar(gain[place], place, xerr=error, fmt="o", color=colour, capsize=4)
        axes.annotate(
            f"{gain[place]:+.1f} %", (gain[place], place), (0, 7), textcoords="offset points",
            ha="center", color=colour, fontsize=8,
        )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(tested)), [str(model) for model in tested.index])
    axes.set_ylim(-0.6, len(tested) - 0.3)
    axes.margins(x=0.1)
    axes.set_xlabel(f"gain in {compared.metric}, percent; 95 % interval; grey: none shown")
    return figure


def plot_by_length(compared: Comparison) -> Figure | None:
    """Draw the first metric against the length of the list.

    Args:
        compared: The comparison.

    Returns:
        A figure; None where there are no lists, or of one length only.
    """
    table = compared.by_length
    if len(table) < 2:
        return None
    figure, axes = _figure(3.6)
    for model, colour in zip(table, _colours(table.shape[1]), strict=True):
        axes.plot(table.index, table[model], marker="o", color=colour, label=str(model))
    axes.set_xscale("log")
    axes.set_xticks(table.index, [str(k) for k in table.index])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("length of the list")
    axes.set_ylabel(compared.metric.partition("@")[0])
    _legend(figure, axes)
    return figure


def plot_by_history(compared: Comparison) -> Figure | None:
    """Draw the first metric of users by the number of items known of them, with intervals.

    Args:
        compared: The comparison.

    Returns:
        A figure, in which slices of few users are hollow; None where there are no such slices.
    """
    table = compared.slices
    table = table[(table["group"] == "history") & (table["metric"] == compared.metric)]
    if table.empty:
        return None
    names = list(dict.fromkeys(table["slice"]))
    models = list(dict.fromkeys(table["model"]))
    figure, axes = _figure(3.8)
    shift = (np.arange(len(models)) - (len(models) - 1) / 2) * 0.8 / len(models)
    for model, colour, aside in zip(models, _colours(len(models)), shift, strict=True):
        mine = table[table["model"] == model]
        x = np.array([names.index(name) for name in mine["slice"]]) + aside
        half = np.nan_to_num((mine["high"] - mine["mean"]).to_numpy(dtype=np.float64))
        axes.errorbar(x, mine["mean"], yerr=half, fmt="none", color=colour, alpha=0.6)
        shades = ["white" if small else colour for small in mine["is_small"]]
        axes.scatter(x, mine["mean"], color=shades, edgecolors=colour, zorder=3, s=28)
        axes.scatter([], [], color=colour, label=str(model))
    users = table[table["model"] == models[0]].set_index("slice")["users"]
    labels = [f"{name.removeprefix('history ')} ({users[name]:,})" for name in names]
    axes.set_xticks(range(len(names)), labels, fontsize=7, rotation=60 if len(names) > 4 else 0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("items known of the user (users); hollow: fewer than 30 users")
    axes.set_ylabel(compared.metric)
    _legend(figure, axes)
    return figure


def plot_popularity(compared: Comparison) -> Figure | None:
    """Draw which share of training, test and lists goes to popular, less popular and new items.

    Args:
        compared: The comparison.

    Returns:
        A figure with one bar for the training, the test and each model; None where there are no
        lists.
    """
    table = compared.popularity
    if table.empty:
        return None
    figure, axes = _figure(1.3 + 0.4 * len(table))
    left = np.zeros(len(table))
    for kind, colour in zip((*THIRDS, NEW), _SHADES, strict=True):
        share = np.nan_to_num(table[kind].to_numpy())
        if share.any():
            axes.barh(
                [str(name) for name in table.index], share, left=left, color=colour, label=kind
            )
            left = left + share
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_xlabel("share of rows, or of places in the lists")
    _legend(figure, axes)
    return figure


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    columns = min(len(labels), 4)
    figure.legend(
        handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=8
    )


def _colours(number: int) -> Sequence[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(number)]
