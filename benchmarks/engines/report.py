"""Tables and summary lines of the measurements of the layers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median

import pandas as pd

from benchmarks.engines.cases import Case
from benchmarks.engines.fleet import LIMITS, PEER_NAMES, Contender, Measured
from benchmarks.engines.reference import Pairs

# Of float32 and of bfloat16, in units of the largest value: sums of thousands of rounded products.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}

LIMIT_TITLES = {"limit": "limit, torch", "blas_limit": "limit, OpenBLAS"}


@dataclass(frozen=True, eq=False)
class Row:
    """A case and what was measured in it.

    Attributes:
        case: The case.
        pairs: Its pairs.
        found: One entry per contender.
    """

    case: Case
    pairs: Pairs
    found: Sequence[Measured]

    @property
    def name(self) -> str:
        """The case in a sentence."""
        return f"{self.case.cells.name}, C = {self.case.channels}"

    @property
    def title(self) -> dict[str, object]:
        """The first columns of every table."""
        return {"case": self.case.cells.name, "C": self.case.channels}

    def best(self, engine: str, kind: str = "step_ms", dtype: str = "float32") -> float:
        """Return the median of an engine's fastest number of threads, in ms; NaN without any."""
        times = [
            median(getattr(one, kind))
            for one in self.found
            if one.contender.engine == engine
            and one.contender.dtype == dtype
            and getattr(one, kind)
        ]
        return min(times, default=math.nan)

    def at(self, contender: Contender) -> float:
        """Return the median of forward and backward of one contender, in ms; NaN without any."""
        times = [one.step_ms for one in self.found if one.contender == contender]
        return median(times[0]) if times and times[0] else math.nan

    def peak(self, engine: str) -> float:
        """Return the peak of an engine's leanest run, in megabytes; NaN without any."""
        peaks = [
            one.peak_mb
            for one in self.found
            if one.contender.engine == engine and one.contender.dtype == "float32"
        ]
        return min((peak for peak in peaks if not math.isnan(peak)), default=math.nan)

    def times(self, engine: str, kind: str = "step_ms") -> float:
        """Return how many times as long as this package an engine takes; NaN without it."""
        return self.best(engine, kind) / self.best("recsparse", kind)

    def ahead(self) -> float:
        """Return how many times as long the fastest peer takes; NaN without peers."""
        ratios = [self.times(engine) for engine in PEER_NAMES]
        return min((ratio for ratio in ratios if not math.isnan(ratio)), default=math.nan)


def cases_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return what the cases are.

    Args:
        rows: The measurements.

    Returns:
        One line per set of cells.
    """
    lines = {}
    for row in rows:
        cells = row.case.cells
        lines[cells.name] = {
            "case": cells.name,
            "grid": " × ".join(f"{size:,}" for size in cells.shape),
            "cells": cells.number,
            "pairs": row.pairs.number,
            "pairs per cell": row.pairs.number / cells.number,
        }
    return pd.DataFrame(lines.values())


def correctness_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return how far each contender is from the float64 reference.

    Args:
        rows: The measurements.

    Returns:
        One line per contender, one column per case: the largest error in units of the largest
        value, or why there is none.
    """
    lines: dict[Contender, dict[str, object]] = {}
    for row in rows:
        for one in row.found:
            if one.contender.engine in LIMITS:
                continue
            line = lines.setdefault(one.contender, _who(one))
            line[row.name] = _verdict(one)
    return pd.DataFrame(lines.values())


def _who(one: Measured) -> dict[str, object]:
    who = one.contender
    name = who.engine if one.version.startswith(who.engine) else f"{who.engine}, {one.version}"
    return {
        "engine": one.version if name == who.engine else name.rstrip(", "),
        "type": who.dtype,
        "threads": who.threads,
    }


def _verdict(one: Measured) -> str:
    if one.skipped:
        return f"skipped: {one.skipped}"
    right = one.error <= TOLERANCE[one.contender.dtype]
    return f"{one.error:.1e}" if right else f"**wrong**, {one.error:.1e}"


def step_table(rows: Sequence[Row], threads: Sequence[int]) -> pd.DataFrame:
    """Return the times of forward and backward.

    Args:
        rows: The measurements.
        threads: Numbers of threads, the one of interest last.

    Returns:
        One line per case; milliseconds, each engine at its fastest number of threads.
    """
    lines = []
    for row in rows:
        ours = row.best("recsparse")
        line: dict[str, object] = {**row.title, "recsparse": ours}
        line["index_add"] = row.best("index_add")
        line |= {name: row.best(name) for name in PEER_NAMES}
        line["peer ÷ ours"] = row.ahead()
        for limit, name in LIMIT_TITLES.items():
            line |= {name: row.best(limit), f"ours ÷ {name}": ours / row.best(limit)}
        if len(threads) > 1:
            first, last = (row.at(Contender("recsparse", n)) for n in (threads[0], threads[-1]))
            line[f"{threads[-1]} threads over {threads[0]}"] = first / last
        half = row.best("recsparse", dtype="bfloat16")
        if not math.isnan(half):
            line |= {"bfloat16": half, "float32 ÷ bfloat16": ours / half}
        lines.append(line)
    return pd.DataFrame(lines)


def map_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the times of building a map cold.

    Args:
        rows: The measurements.

    Returns:
        One line per case, milliseconds.
    """
    lines = []
    for row in rows:
        ours = row.best("recsparse", "map_ms")
        line: dict[str, object] = {
            **row.title,
            "recsparse": ours,
            "index_add": row.best("index_add", "map_ms"),
        }
        line |= {name: row.best(name, "map_ms") for name in PEER_NAMES}
        line["spconv ÷ ours"] = row.times("spconv", "map_ms")
        line["recsparse, unsorted"] = row.best("recsparse", "unsorted_ms")
        lines.append(line)
    return pd.DataFrame(lines)


def memory_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the peaks of memory.

    Args:
        rows: The measurements.

    Returns:
        One line per case: megabytes by which the process grows over setting up, the map, and the
        first forward and backward; the inputs are there before.
    """
    lines = []
    for row in rows:
        peers = {name: row.peak(name) for name in PEER_NAMES}
        line = {**row.title, "recsparse": row.peak("recsparse"), "index_add": row.peak("index_add")}
        leanest = min((p for p in peers.values() if not math.isnan(p)), default=math.nan)
        lines.append({**line, **peers, "ours ÷ leanest peer": row.peak("recsparse") / leanest})
    return pd.DataFrame(lines)


def summary(rows: Sequence[Row]) -> list[str]:
    """Return each goal with its mean, its smallest and its largest figure.

    Args:
        rows: The measurements.

    Returns:
        One line a goal; those of engines that did not run are left out.
    """
    wide = [row for row in rows if row.case.channels >= 32]
    return [
        *_spread("forward + backward, fastest peer ÷ ours", {row: row.ahead() for row in rows}),
        *_spread("map cold, spconv ÷ ours", {row: row.times("spconv", "map_ms") for row in rows}),
        *(
            line
            for limit, name in LIMIT_TITLES.items()
            for line in _spread(
                f"ours ÷ {name}, C ≥ 32", {row: 1 / row.times(limit) for row in wide}
            )
        ),
        *_spread(
            "forward + backward, torch's index_add ÷ ours",
            {row: row.times("index_add") for row in rows},
        ),
    ]


def _spread(title: str, ratios: Mapping[Row, float]) -> list[str]:
    known = {row: ratio for row, ratio in ratios.items() if not math.isnan(ratio)}
    if not known:
        return []
    low, high = (end(known, key=lambda row: known[row]) for end in (min, max))
    return [
        f"{title}: geometric mean {geometric_mean(known.values()):.2f} over {len(known)} rows, "
        f"from {known[low]:.2f} ({low.name}) to {known[high]:.2f} ({high.name})"
    ]
