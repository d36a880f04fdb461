"""How time and memory grow with the number of cells, up to ten million of them."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import typer

from benchmarks.engines.cases import Case, grown_user_item
from benchmarks.engines.fleet import Contender, measure
from benchmarks.engines.report import Row

CHANNELS = 32
# Beyond a million cells the processes of several engines no longer fit into 16 GB side by side.
MOST_WITH_PEERS = 1_000_000
ENGINES = ("recsparse", "blas_limit", "index_add", "spconv")


def sweep(threads: int, rounds: int, most: int) -> list[Row]:
    """Measure grids of a thousand cells, then ten times as many, and so on.

    Args:
        threads: Number of threads.
        rounds: Turns of each engine.
        most: The largest number of cells.

    Returns:
        One row per size.
    """
    rows = []
    for number in (10**power for power in range(3, 1 + round(math.log10(most)))):
        typer.echo(f"measuring {number:,} cells", err=True)
        names = ENGINES if number <= MOST_WITH_PEERS else ENGINES[:2]
        who = [Contender(name, threads) for name in names]
        case = Case(grown_user_item(number), CHANNELS)
        rows.append(Row(case, *measure(case, who, rounds)))
    return rows


def growth_table(rows: list[Row]) -> pd.DataFrame:
    """Return time and memory of each size.

    Args:
        rows: The measurements.

    Returns:
        Milliseconds of forward and backward, megabytes at the peak.
    """
    lines = []
    for row in rows:
        line: dict[str, object] = {"cells": row.case.cells.number, "pairs": row.pairs.number}
        line |= {f"{name}, ms": row.best(name) for name in ENGINES}
        line |= {f"{name}, MB": row.peak(name) for name in ENGINES if name != "blas_limit"}
        line["recsparse, ns per pair"] = 1e6 * row.best("recsparse") / row.pairs.number
        line["map cold, ms"] = row.best("recsparse", "map_ms")
        lines.append(line)
    return pd.DataFrame(lines)


def plot_growth(table: pd.DataFrame, path: Path) -> None:
    """Draw time and memory against the number of cells, both axes logarithmic.

    Args:
        table: Of `growth_table`.
        path: The picture to write.
    """
    # What is not known, as memory outside Linux, or too small to see has no place on these axes.
    table = table.where(table > 0).dropna(axis="columns", how="all")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, unit in zip(axes, ("ms", "MB"), strict=True):
        for name in ENGINES:
            if f"{name}, {unit}" in table:
                label = "limit: the products alone" if name == "blas_limit" else name
                axis.loglog(table["cells"], table[f"{name}, {unit}"], marker="o", label=label)
                axis.legend()
        axis.set(xlabel="cells", ylabel=unit)
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_title(f"forward + backward, {CHANNELS} channels")
    axes[1].set_title("peak of memory over the inputs")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def huge_table(threads: int) -> pd.DataFrame:
    """Return time and memory of one forward and backward over ten million cells.

    Args:
        threads: Number of threads.

    Returns:
        One line; `process` counts the inputs, torch and Python too.
    """
    case = Case(grown_user_item(10_000_000), 64)
    pairs, (found,) = measure(case, [Contender("recsparse", threads)], 1, check=False)
    line = {
        "cells": case.cells.number,
        "C": case.channels,
        "pairs": pairs.number,
        "forward + backward, s": found.step_ms[0] / 1000,
        "growth over the inputs, GB": found.peak_mb / 1000,
        "process, GB": found.resident_mb / 1000,
    }
    return pd.DataFrame([line])
