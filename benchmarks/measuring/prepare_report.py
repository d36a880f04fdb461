"""Tables of the benchmark of `prepare`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import pandas as pd

from benchmarks.measuring.measured_process import Run


@dataclass(eq=False)
class Rounds:
    """All runs of one contender on one log.

    Attributes:
        rows: Rows of the log.
        runs: One entry per round.
    """

    rows: int
    runs: list[Run] = field(default_factory=list)

    @property
    def failure(self) -> str:
        """What the first run that failed said; empty where none did."""
        return next((run.output for run in self.runs if run.failed), "")

    @property
    def seconds(self) -> float:
        """Median; NaN where a run failed."""
        return math.nan if self.failure else median(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """Median of those of the processor; NaN where a run failed."""
        return math.nan if self.failure else median(run.cpu_seconds for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """The highest peak of all rounds; NaN where a run failed."""
        return math.nan if self.failure else max(run.peak_mb for run in self.runs)


def contenders_table(found: Mapping[str, Rounds], own: str = "recsparse") -> pd.DataFrame:
    """Return seconds and peaks of contenders on the same rows, and their ratios to ours.

    Args:
        found: Runs by contender, one of them ours.
        own: Which one.

    Returns:
        One row per contender.
    """
    ours = found[own]
    rows = [
        {
            "": name,
            "rows": f"{each.rows:,}",
            "seconds": each.seconds,
            "from": min(run.seconds for run in each.runs),
            "to": max(run.seconds for run in each.runs),
            "peak, MB": each.peak_mb,
            "seconds ÷ ours": each.seconds / ours.seconds,
            "peak ÷ ours": each.peak_mb / ours.peak_mb,
            "said": each.runs[-1].output if name != own or each.failure else "",
        }
        for name, each in found.items()
    ]
    return pd.DataFrame(rows)


def growth_table(found: Sequence[Rounds]) -> pd.DataFrame:
    """Return how time and memory of one contender grow with the rows.

    Args:
        found: Its runs, the shortest log first.

    Returns:
        One row a log.
    """
    first = found[0]
    rows = [
        {
            "rows": f"{each.rows:,}",
            "seconds": each.seconds,
            "peak, MB": each.peak_mb,
            "rows ÷ first": each.rows / first.rows,
            "seconds ÷ first": each.seconds / first.seconds,
            "peak ÷ first": each.peak_mb / first.peak_mb,
        }
        for each in found
    ]
    return pd.DataFrame(rows)


def targets_table(
    small: Mapping[str, Rounds],
    large: Mapping[str, Rounds],
    loaded: Sequence[Mapping[str, Rounds]],
) -> pd.DataFrame:
    """Return the settings of `prepare` and what was found.

    Args:
        small: Runs by contender, with DuckDB alone.
        large: The same on a longer log, or nothing.
        loaded: Runs by contender on one log each, with peers.

    Returns:
        One row a question.
    """
    ours, duck = small["recsparse"], small["DuckDB alone"]
    rows: list[tuple[str, str, float]] = [
        ("peak, MB", "below 2,000", ours.peak_mb),
        ("seconds ÷ DuckDB alone", "at most 2.5", ours.seconds / duck.seconds),
    ]
    if large:
        grown = large["recsparse"]
        times = grown.rows / ours.rows
        rows += [
            (f"seconds, {times:g} × the rows", f"at most {1.15 * times:g}",
             grown.seconds / ours.seconds),
            (f"peak, {times:g} × the rows", "at most 1.25", grown.peak_mb / ours.peak_mb),
        ]  # fmt: skip
    for found in loaded:
        ours = found["recsparse"]
        for name, each in found.items():
            if each is not ours:
                where = f"{name}, {each.rows:,} rows"
                rows += [
                    (f"seconds of {where}, ÷ ours", "at least 5", each.seconds / ours.seconds),
                    (f"peak of {where}, ÷ ours", "at least 3", each.peak_mb / ours.peak_mb),
                ]
    return pd.DataFrame(rows, columns=["what", "asked", "found"])
