"""What a backtest writes: its tables in Parquet, a picture over time, and a page."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from recsparse.outputs.kinds import FolderKind
from recsparse.stages.backtest_result import BacktestResult, of_metric

TEXT, PICTURE = "report.md", "backtest.png"
_TABLES = ("table.parquet", "differences.parquet", "windows.parquet", "users.parquet")

BACKTEST = FolderKind("backtest", "a backtest", lambda folder: False, ())


def write_backtest(folder: Path, result: BacktestResult) -> None:
    """Write the tables, the picture and the page of a backtest.

    Args:
        folder: An empty folder.
        result: The figures.
    """
    frames = (result.table, result.differences, result.windows, result.users)
    for name, frame in zip(_TABLES, frames, strict=True):
        is_indexed = frame.index.names != [None]
        whole = frame.reset_index() if is_indexed else frame
        whole.to_parquet(folder / name, index=False)
    figure = plot_backtest(result)
    figure.savefig(folder / PICTURE, dpi=120, metadata={"Software": None})
    (folder / TEXT).write_text(_page(result), encoding="utf-8")


def plot_backtest(result: BacktestResult) -> Figure:
    """Draw the first metric over the splits, a line a model, with its interval of 95 %.

    Args:
        result: The figures.

    Returns:
        A figure; the places of windows are the days on which they start.
    """
    table = result.windows
    table = table[table["metric"] == result.metric]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    middle = (len(result.cells) - 1) / 2
    for place, model in enumerate(result.cells):
        some = table[table["model"] == model]
        mean, low, high = (some[name].to_numpy() for name in ("mean", "low", "high"))
        # Next to each other, so that no interval hides another.
        places = some["number"].to_numpy() + 0.06 * (place - middle)
        errors = np.nan_to_num([mean - low, high - mean])
        axes.errorbar(places, mean, errors, marker="o", capsize=3, label=model)
    is_timed = bool(table["start"].notna().all())
    ticks = [f"{split.start:%Y-%m-%d}" if split.start else split.name for split in result.splits]
    axes.set_xticks([split.number for split in result.splits], ticks, rotation=30, ha="right")
    axes.set_xlabel("start of the window (UTC)" if is_timed else "")
    axes.set_ylabel(f"{result.metric}, mean and 95 % interval over users")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _page(result: BacktestResult) -> str:
    metric, splits = result.metric, result.splits
    first, last = splits[0], splits[-1]
    what = f"{len(splits)} splits"
    if first.start is not None and last.end is not None:
        what = f"{len(splits)} windows from {first.start:%Y-%m-%d} to {last.end:%Y-%m-%d}"
    lines = [
        f"# Backtest: {what}",
        _markdown(of_metric(result.table, metric)),
        f"![{metric}]({PICTURE})",
    ]
    if len(result.cells) > 1:
        lines += [
            f"## {metric}: {result.reference} over each",
            "Differences of a user within a split, with the splits as clusters; p-values adjusted "
            "by Holm.",
            _markdown(of_metric(result.differences, metric)),
        ]
    lines += [f"## {metric} by split", _markdown(_by_split(result))]
    lines += ["## All metrics", _markdown(_means(result))]
    return "\n\n".join(lines) + "\n"


def _by_split(result: BacktestResult) -> pd.DataFrame:
    table = result.windows[result.windows["metric"] == result.metric]
    half = (table["high"] - table["low"]) / 2
    shown = [f"{mean:.4f} ± {each:.4f}" for mean, each in zip(table["mean"], half, strict=True)]
    wide = table.assign(shown=shown).pivot_table(
        index="number", columns="model", values="shown", aggfunc="first", sort=False
    )
    first = table.drop_duplicates("number").set_index("number")
    if first["start"].notna().all():
        wide.insert(0, "start", first["start"].dt.strftime("%Y-%m-%d %H:%M"))
    wide.insert(wide.shape[1] - len(result.cells), "users", first["users"])
    wide.index = pd.Index(first["split"], name="split")
    return wide


def _means(result: BacktestResult) -> pd.DataFrame:
    means = result.table["mean"].unstack("metric", sort=False)
    return pd.DataFrame(means).rename_axis("model")


def _markdown(table: pd.DataFrame) -> str:
    header = [str(table.index.name), *map(str, table.columns)]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for name, *values in table.itertuples():
        lines.append("| " + " | ".join([str(name), *map(_cell, values)]) + " |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return f"{value:.4g}"
