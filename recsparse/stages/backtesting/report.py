"""What a backtest writes: its tables in Parquet, a picture over time, and a page."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from recsparse.outputs.kinds import FolderKind
from recsparse.reporting.html_page import picture_source
from recsparse.stages.backtesting.page import backtest_page
from recsparse.stages.backtesting.result import BacktestResult

PAGE, PICTURE = "report.html", "backtest.png"
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
    page = backtest_page(result, picture_source(figure))
    (folder / PAGE).write_text(page.html(), encoding="utf-8")


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
