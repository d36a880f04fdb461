"""The page of a backtest: the verdict, the picture, and sortable tables."""

import numpy as np
import pandas as pd

from recsparse.evaluation.significance import ALPHA
from recsparse.evaluation.verdict import judged
from recsparse.reporting.html_page import Cell, Page, PageTable, Row, Section
from recsparse.reporting.value_text import mean_text, value_text
from recsparse.stages.backtesting.result import BacktestResult, of_metric

_OVERALL = (
    "Splits count alike. Intervals of 95 %: splits vary, and users within each. Best in: the "
    "number of splits in which a model is the best. Between and within splits: standard deviations."
)
_TESTED = (
    "Differences of a user within a split, the splits as clusters; p-values are adjusted by Holm "
    "for the number of models, intervals of 95 % are not."
)


def backtest_page(result: BacktestResult, picture: str) -> Page:
    """Lay a backtest out for people.

    Args:
        result: The figures.
        picture: The address of the picture over the splits.

    Returns:
        The page.
    """
    metric = result.metric
    sections = [
        Section(pictures={f"{metric} by split": picture}),
        Section(f"{metric} over all splits", [_OVERALL], [_table(_over_all(result))]),
    ]
    if len(result.cells) > 1:
        tested = of_metric(result.differences, metric)
        sections.append(Section(f"{result.reference} against each", [_TESTED], [_table(tested)]))
    return Page(
        title=f"Backtest of {', '.join(result.cells)}",
        about=[_what(result)],
        lead=verdict(result),
        sections=[
            *sections,
            Section(f"{metric} by split", tables=[_table(by_split(result))]),
            Section("All metrics, means over splits", tables=[_table(_means(result))]),
        ],
    )


def verdict(result: BacktestResult) -> list[str]:
    """Say how the reference does against each other model, in the first metric.

    Args:
        result: The figures.

    Returns:
        One sentence for each other model.
    """
    if len(result.cells) < 2:
        return []
    metric, sentences = result.metric, []
    for model, row in of_metric(result.differences, metric).iterrows():
        bounds = (
            f"{value_text(float(row['difference']))} on average, 95 % interval "
            f"{value_text(float(row['low']))} to {value_text(float(row['high']))}, "
            f"p = {value_text(float(row['p']))}"
        )
        if row["p"] < ALPHA:
            kind = judged(metric, bool(row["difference"] > 0))
            sentence = f"{result.reference} is {kind} than {model} in {metric} ({bounds})."
        else:
            sentence = (
                f"No difference of {result.reference} to {model} could be shown in {metric} "
                f"({bounds})."
            )
        sentences.append(sentence)
    return sentences


def by_split(result: BacktestResult) -> pd.DataFrame:
    """Return the first metric of each split and model, with half its interval.

    Args:
        result: The figures.

    Returns:
        One row per split, a text a model.
    """
    table = result.windows[result.windows["metric"] == result.metric]
    half = (table["high"] - table["low"]) / 2
    shown = [mean_text(mean, each) for mean, each in zip(table["mean"], half, strict=True)]
    wide = table.assign(shown=shown).pivot_table(
        index="number", columns="model", values="shown", aggfunc="first", sort=False
    )
    first = table.drop_duplicates("number").set_index("number")
    wide.insert(0, "users", first["users"])
    if first["start"].notna().all():
        wide.insert(0, "start", first["start"].dt.strftime("%Y-%m-%d %H:%M"))
    wide.index = pd.Index(first["split"], name="split")
    return wide


def _what(result: BacktestResult) -> str:
    first, last = result.splits[0], result.splits[-1]
    if first.start is None or last.end is None:
        return f"{len(result.splits)} splits, each with a test of its own."
    return (
        f"{len(result.splits)} windows, from {first.start:%Y-%m-%d %H:%M} to "
        f"{last.end:%Y-%m-%d %H:%M} (UTC), each ranked by models that know what was before it."
    )


def _over_all(result: BacktestResult) -> pd.DataFrame:
    table = of_metric(result.table, result.metric)
    names = ["users", "mean", "standard error", "low", "high", "best in"]
    return table[[*names, "between splits", "within splits"]]


def _means(result: BacktestResult) -> pd.DataFrame:
    means = result.table["mean"].unstack("metric", sort=False)
    return pd.DataFrame(means).rename_axis("model")


def _table(frame: pd.DataFrame) -> PageTable:
    header = [str(frame.index.name), *map(str, frame.columns)]
    plain = frame.astype(object).itertuples()
    return PageTable([Row([_cell(value) for value in row]) for row in plain], header)


def _cell(value: object) -> Cell:
    return Cell.of(value.item() if isinstance(value, np.generic) else value)
