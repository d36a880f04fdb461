"""Tables on the terminal, JSON for machines."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsparse.reporting.value_text import value_text


def show_json(value: Any) -> None:
    """Print a value as JSON; NaN becomes null.

    Args:
        value: Dictionaries, lists and scalars.
    """
    typer.echo(json.dumps(_without_nan(value), default=str))


def show_pairs(title: str, pairs: Mapping[str, Any], as_json: bool = False) -> None:
    """Print names and values as a table, or as JSON.

    Args:
        title: Above the table.
        pairs: What to show.
        as_json: Print JSON, and no title.
    """
    if as_json:
        show_json(pairs)
    else:
        show_groups(title, {"": pairs})


def show_groups(title: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Print names and values as a table in sections.

    Args:
        title: Above the table.
        groups: What to show, by the heading of its section; an empty heading is not printed.
    """
    table = Table(title=Text(title), show_header=False)
    for heading, pairs in groups.items():
        if heading:
            table.add_row(Text(heading, style="bold"), "")
        for name, value in pairs.items():
            # As text, since names from data may hold what rich takes for markup.
            table.add_row(Text(name), Text(value_text(value)))
        table.add_section()
    Console().print(table)


def show_frame(title: str, frame: pd.DataFrame) -> None:
    """Print a frame as a table.

    Args:
        title: Above the table.
        frame: Rows and columns; the index is not shown.
    """
    table = Table(title=Text(title))
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(Text(str(column)), justify="right" if numeric else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(value_text(value)) for value in row))
    Console().print(table)


def show_comparison(title: str, table: pd.DataFrame) -> None:
    """Print models side by side: a line a figure, with its standard error where there is one.

    Args:
        title: Above the table.
        table: One row a model; the column `ndcg@10 ±` is the standard error of `ndcg@10`.
    """
    figures = [name for name in table.columns if not name.endswith(" ±")]
    shown = pd.DataFrame({"": figures})
    for model, row in table.iterrows():
        shown[str(model)] = [
            value_text(row[name])
            + (f" ± {value_text(row[f'{name} ±'])}" if f"{name} ±" in row else "")
            for name in figures
        ]
    show_frame(title, shown)


def show_runs(title: str, runs: pd.DataFrame) -> None:
    """Print as much of the runs as a terminal is wide: of their figures, nDCG of the shortest list.

    Args:
        title: Above the table.
        runs: Columns `run_id`, `experiment`, `name`, `status`, `started`, and one column a figure.
    """
    started = runs["started"].map("{:%Y-%m-%d %H:%M}".format)
    brief = runs[["experiment", "name", "status"]].assign(started=started)
    for part in ("validation", "test"):
        prefix = f"{part}_ndcg_at_"
        names = [name for name in map(str, runs.columns) if name.startswith(prefix)]
        if names:
            k = min(int(name.removeprefix(prefix)) for name in names)
            brief[f"{part}\nnDCG@{k}"] = runs[f"{prefix}{k}"]
    show_frame(title, brief)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
