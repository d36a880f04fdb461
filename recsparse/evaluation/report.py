"""Comparisons of models: tables, pictures, a report folder."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from recsparse.config.choices import Catalogue
from recsparse.config.evaluation import EvaluationConfig
from recsparse.datasets.evaluated.part_counts import PartCounts
from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.significance import significance_table
from recsparse.metrics.rating_metrics import RATING_FORMULAS
from recsparse.outputs.claim import Output, filled_folder
from recsparse.outputs.kinds import FolderKind

COMPARISON = "comparison.parquet"
_TEXT = "report.md"
_NAMES = (COMPARISON, "metrics.parquet", "comparison.png", _TEXT)
_GROUPS = "groups.parquet"

_RANKED: Mapping[Catalogue | None, str] = {
    "known": "known items",
    "all": "all items",
    "common": "items that every model knows",
    "new": "items without training rows among themselves",
    None: "full catalogue",
}

# A folder of these names is known as ours without a manifest, too.
REPORT = FolderKind(
    "report",
    "a report",
    lambda folder: all((folder / name).is_file() for name in _NAMES),
    (*_NAMES, _GROUPS),
)


def compared_on(result: RankingResult) -> str:
    """Return what models were compared on, for the caption of a table.

    Args:
        result: Of one of them.

    Returns:
        The part and the items that were ranked, as in `test part, known items`.
    """
    return f"test part, {_RANKED[result.catalogue]}"


def catalogue_tag(result: RankingResult) -> dict[str, str]:
    """Return which items were ranked for a run.

    Args:
        result: Of one model.

    Returns:
        The tag `test_catalogue`; nothing where it was not chosen.
    """
    return {} if result.catalogue is None else {"test_catalogue": result.catalogue}


def comparison_table(results: Mapping[str, RankingResult]) -> pd.DataFrame:
    """Return the users, the mean of every metric with its standard error, and the coverage.

    Args:
        results: One result a model.

    Returns:
        One row per model; columns `users` (those with targets), `ndcg@10`, `ndcg@10 ±` and so on;
        at the end, where a part was counted, `unknown items`: targets that the model does not know,
        each a miss, and `rows of unknown items`.
    """
    rows = {}
    for model, result in results.items():
        error = result.standard_error()
        columns: dict[str, float] = {"users": result.num_users}
        for name, mean in result.mean().items():
            columns[name] = mean
            if name in error:
                columns[f"{name} ±"] = error[name]
        columns |= result.coverage
        if result.part is not None:
            columns["unknown items"] = result.unknown_items
            columns["rows of unknown items"] = result.rows_of_unknown_items
        rows[model] = columns
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def group_tables(results: Mapping[str, RankingResult]) -> dict[str, pd.DataFrame]:
    """Return the comparison of the users with training rows, and of those without, apart.

    Args:
        results: One result a model, all on the same users.

    Returns:
        Tables as of `comparison_table`, by the name of the group; empty where all users are of one.
    """
    groups = {model: result.groups() for model, result in results.items()}
    names = next(iter(groups.values()), {})
    return {
        name: comparison_table({model: groups[model][name] for model in groups}) for name in names
    }


def run_figures(result: RankingResult) -> dict[str, float]:
    """Return the figures of one model on the test part for its run, all under one name each.

    Args:
        result: Of the model.

    Returns:
        Means, coverage and counts, as in `test_ndcg@10`; means of a group of users as in
        `test_new_users_ndcg@10`.
    """
    figures = {**result.mean(), **result.coverage}
    for group, some in result.groups().items():
        prefix = group.replace(" ", "_")
        figures |= {f"{prefix}_{name}": value for name, value in some.mean().items()}
    if result.part is not None:
        figures["unknown_items"] = result.unknown_items
        figures["rows_of_unknown_items"] = result.rows_of_unknown_items
    figures = {f"test_{name}": value for name, value in figures.items()}
    return figures | part_figures(result.part)


def part_figures(part: PartCounts | None) -> dict[str, float]:
    """Return what was counted of the test part for a run.

    Args:
        part: The counts; None where it was not counted.

    Returns:
        Counts by name, as in `test_unseen_users`.
    """
    counts = {} if part is None else asdict(part)
    return {f"test_{name}": float(count) for name, count in counts.items()}


def plot_comparison(results: Mapping[str, RankingResult], metric: str) -> Figure:
    """Draw one bar a model with its standard error, the best on top; of errors, the lowest.

    Args:
        results: One result a model.
        metric: Such as `ndcg@10`.

    Returns:
        A figure.
    """
    means = {model: result.mean()[metric] for model, result in results.items()}
    models = sorted(means, key=means.__getitem__, reverse=metric in RATING_FORMULAS)
    errors = np.nan_to_num([results[model].standard_error()[metric] for model in models])
    figure = Figure(figsize=(7, 1 + 0.5 * len(models)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(models, [means[model] for model in models], xerr=errors, color="tab:blue")
    axes.bar_label(bars, fmt="%.4f", padding=4)
    axes.set_xlabel(f"{metric} on the test part, mean and standard error over users")
    axes.margins(x=0.15)
    return figure


def counts_table(part: PartCounts) -> pd.DataFrame:
    """Return how many users and rows training knows, and how many are evaluated.

    Args:
        part: The counts.

    Returns:
        Columns `users` and `rows`, one line each for the whole part, what training does not know
        of it, and what is evaluated, with the number of lists where it is not that of the users.
    """
    several = part.evaluated_lists != part.evaluated_users
    evaluated = f"evaluated by {part.evaluated_lists:,} lists" if several else "evaluated"
    lines = {
        "test part": (part.users, part.rows),
        "users without training rows": (part.unseen_users, part.rows_of_unseen_users),
        f"{part.unseen_items:,} items without training rows": (
            part.users_of_unseen_items,
            part.rows_of_unseen_items,
        ),
        evaluated: (part.evaluated_users, part.evaluated_rows),
        "evaluated without a history before the part": (
            part.users_without_history,
            part.rows_of_users_without_history,
        ),
    }
    columns = ["users", "rows"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("counted")


def write_report(
    folder: str | Path | Output,
    results: Mapping[str, RankingResult],
    table: pd.DataFrame,
    reference: str,
    options: EvaluationConfig | None = None,
) -> None:
    """Write a comparison: `report.md`, its tables in Parquet, and a picture.

    `comparison.parquet` has one row per model, `groups.parquet` the same of the users with training
    rows and of those without, where there are both, and `metrics.parquet` one row per model and
    user, where `user_index` counts the users of the part from 0. The picture and the significance
    are of the reference's first metric that all models have.

    Args:
        folder: Where to write: a path, or a claimed output, whose older report is replaced in one
            step.
        results: One result a model, all on the same users.
        table: What `comparison_table` made of them, and any further columns.
        reference: The model that the others are tested against.
        options: Which users and items count; None where that was not chosen.

    Raises:
        InputError: If the reference is unknown, or the users differ.
    """
    if reference not in results:
        raise InputError(f"there must be a result of {reference!r}, but there are {[*results]}")
    # Models of ratings have metrics that others lack.
    metric = next(
        name
        for name in results[reference].per_user
        if all(name in result.per_user for result in results.values())
    )
    tested = significance_table(results, reference, metric)
    per_user = {model: pd.DataFrame(result.per_user) for model, result in results.items()}
    groups = group_tables(results)
    with filled_folder(folder, REPORT) as aside:
        stacked = pd.concat(per_user, names=["model", "user_index"]).reset_index()
        stacked.to_parquet(aside / "metrics.parquet", index=False)
        table.reset_index().to_parquet(aside / COMPARISON, index=False)
        if groups:
            apart = pd.concat(groups, names=["group"]).reset_index()
            apart.to_parquet(aside / _GROUPS, index=False)
        plot_comparison(results, metric).savefig(aside / "comparison.png", dpi=120)
        text = (
            f"{_heading(results[reference], options)}{_markdown(table)}\n\n"
            + "".join(f"## {name}\n\n{_markdown(some)}\n\n" for name, some in groups.items())
            + f"## {metric}: {reference} against each\n\n"
            "Paired t-test over users, p-values adjusted by Holm.\n\n"
            f"{_markdown(tested)}\n\n![{metric}](comparison.png)\n"
        )
        (aside / _TEXT).write_text(text, encoding="utf-8")


def _heading(result: RankingResult, options: EvaluationConfig | None) -> str:
    text = f"# Test part, {result.num_users:,} users, {_RANKED[result.catalogue]}\n\n"
    if options is not None:
        text += f"Items: {result.catalogue}. Users: {options.include_users}.\n\n"
    if result.part is not None:
        text += f"{_markdown(counts_table(result.part))}\n\n"
    return text


def _markdown(table: pd.DataFrame) -> str:
    """Return a frame as a Markdown table, its index first."""
    header = [str(table.index.name), *map(str, table.columns)]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for name, *values in table.itertuples():
        lines.append("| " + " | ".join([str(name), *map(_cell, values)]) + " |")
    return "\n".join(lines)


def _cell(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:.4g}"
