"""Tables on the terminal, JSON for machines."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsparse.reporting.value_text import mean_text, value_text

if TYPE_CHECKING:  # which takes half a second to import
    import pandas as pd

# Names up to this length stay in one line; the columns next to them fold instead.
_WHOLE_UP_TO = 36
# Words up to this length are not broken in any column, such as dates.
_WORDS_UP_TO = 12


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


def show_frame(title: str, frame: "pd.DataFrame", *whole: str) -> None:
    """Print a frame as a table.

    Args:
        title: Above the table.
        frame: Rows and columns; the index is not shown.
        *whole: Columns whose words are not broken where the terminal is narrow; without any the
            first one.
    """
    table = Table(title=Text(title))
    kept = whole or tuple(frame.columns[:1])
    for column in frame.columns:
        is_numeric = frame[column].dtype.kind in "biufc"
        values = [value_text(value) for value in frame[column]]
        _add_column(table, str(column), is_numeric, values if column in kept else [])
        longest = max((len(word) for value in values for word in value.split()), default=0)
        table.columns[-1].min_width = longest if longest <= _WORDS_UP_TO else None
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(value_text(value)) for value in row))
    Console().print(table)


def show_comparison(title: str, table: "pd.DataFrame") -> None:
    """Print models side by side: a line a figure, with its standard error where there is one.

    Args:
        title: Above the table.
        table: One row per model; the column `ndcg@10 ±` is the standard error of `ndcg@10`.
    """
    shown = Table(title=Text(title))
    names = [name for name in map(str, table.columns) if not name.endswith(" ±")]
    _add_column(shown, "", names=names)
    for model in table.index:
        _add_column(shown, str(model))
    for name in names:
        values = [float(value) for value in table[name]]
        errors = map(float, table.get(f"{name} ±", [math.nan] * len(table)))
        told = [mean_text(value, error) for value, error in zip(values, errors, strict=True)]
        shown.add_row(*map(Text, (name, *told)))
    Console().print(shown)


def show_runs(title: str, runs: "pd.DataFrame") -> None:
    """Print as much of the runs as a terminal is wide: of their figures, nDCG of the shortest list.

    Args:
        title: Above the table.
        runs: Columns `run_id`, `experiment`, `name`, `status`, `started`, and one column a figure.
    """
    started = runs["started"].map("{:%Y-%m-%d %H:%M}".format)
    brief = runs[["experiment", "name", "status"]].assign(started=started)
    whole = "experiment"
    if runs["experiment"].nunique() == 1:
        title, whole = f"{title} of the experiment {runs['experiment'].iloc[0]}", "name"
        brief = brief.drop(columns="experiment")
    for part in ("validation", "test"):
        prefix = f"{part}_ndcg_at_"
        names = [name for name in map(str, runs.columns) if name.startswith(prefix)]
        if names:
            k = min(int(name.removeprefix(prefix)) for name in names)
            brief[f"{part}\nnDCG@{k}"] = runs[f"{prefix}{k}"]
    show_frame(title, brief, whole, "status")


def _add_column(
    table: Table, name: str, is_numeric: bool = False, names: Sequence[Any] = ()
) -> None:
    longest = max((len(line) for each in names for line in str(each).split("\n")), default=0)
    table.add_column(
        Text(name),
        justify="right" if is_numeric else "left",
        overflow="fold",
        no_wrap=0 < longest <= _WHOLE_UP_TO,
    )


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
