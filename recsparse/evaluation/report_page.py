"""The page of a report: the verdict, pictures, sortable tables, and lists with titles."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsparse.config.evaluation import EvaluationConfig
from recsparse.config.metric_names import length_of
from recsparse.evaluation.comparison import Comparison
from recsparse.evaluation.comparison_tables import counts_table
from recsparse.evaluation.examples import Example
from recsparse.evaluation.pictures import pictures
from recsparse.evaluation.slices import SMALL
from recsparse.metrics.definitions import definition
from recsparse.reporting.html_page import (
    Cell,
    Page,
    PageList,
    PageTable,
    Row,
    Section,
    picture_source,
)
from recsparse.reporting.value_text import mean_text, value_text

# What stands in one cell: a figure with the ends of its interval.
_BOUNDS = {"difference": ("low", "high"), "ratio": ("ratio low", "ratio high")}
_TESTED = {
    "difference": "difference",
    "ratio": "ratio",
    "p": "p (t-test)",
    "p randomisation": "p (randomisation)",
    "users": "users",
    "undefined": "undefined",
    "users needed": "users needed",
}
_HOW_TESTED = (
    "Differences and ratios are of the reference to each model, with 95 % intervals in brackets, "
    "by the bootstrap over users. Both tests are paired and two-sided; p-values are adjusted by "
    "Holm for the number of models. Users needed: to see a difference of this size in 8 of 10 "
    "t-tests, unadjusted."
)


def report_page(compared: Comparison, options: EvaluationConfig | None, title: str) -> Page:
    """Lay a comparison out for people.

    Args:
        compared: What to tell.
        options: Which users and items count; None where that was not chosen.
        title: What the models were compared on.

    Returns:
        The page.
    """
    first = compared.results[compared.reference]
    users = f"{first.num_users:,} users"
    about = [f"Compared on {title}: {users}."]
    if options is not None and options.include_users != "all":
        about.append(f"Only {options.include_users} users.")
    return Page(
        title=_title([*compared.results]),
        about=about,
        lead=[*compared.verdict, *_warnings(compared)],
        sections=[
            _pictures(compared),
            _figures(compared),
            *_significance(compared),
            *_slices(compared),
            *_examples(compared.examples),
            *_counts(compared),
            _formulas(compared),
        ],
    )


def _title(models: Sequence[str]) -> str:
    if len(models) == 1:
        return f"Evaluation of {models[0]}"
    return f"{models[0]} compared with {_listed(models[1:])}"


def _listed(models: Sequence[str]) -> str:
    first, last = ", ".join(models[:-1]), models[-1]
    return f"{first} and {last}" if first else last


def _warnings(compared: Comparison) -> list[str]:
    found = []
    first = compared.results[compared.reference]
    if 0 < first.num_users < SMALL:
        found.append(f"{first.num_users} users are few: intervals and tests say little.")
    unknown: dict[int, list[str]] = {}
    for model, result in compared.results.items():
        unknown.setdefault(result.rows_of_unknown_items, []).append(model)
    for rows, models in unknown.items():
        if compared.part is not None and rows > 0:
            found.append(
                f"{rows:,} of {compared.part.evaluated_rows:,} evaluated rows are of items that "
                f"{_listed(models)} {'does' if len(models) == 1 else 'do'} not know: misses."
            )
    return found


def _pictures(compared: Comparison) -> Section:
    drawn = {name: picture_source(figure) for name, figure in pictures(compared).items()}
    return Section("Pictures", pictures=drawn, in_cards=True)


def _figures(compared: Comparison) -> Section:
    note = "Mean over users ± its standard error. Bold: the best. Click on a name to sort."
    names = [str(name).removesuffix(" ±") for name in compared.table.columns]
    lengths = sorted({length for length in map(length_of, names) if length is not None})
    tables = [_models_table(compared.table, f"Lists of {k}", k) for k in lengths]
    return Section("Figures", [note], [*tables, _models_table(compared.table, "Of the whole")])


def _models_table(table: pd.DataFrame, heading: str, k: int | None = None) -> PageTable:
    names = [str(name) for name in table.columns if not str(name).endswith(" ±")]
    names = [name for name in names if length_of(name) == k]
    best = {name: _best(name, table[name].to_numpy(dtype=np.float64)) for name in names}
    rows = []
    for model, figures in table.to_dict("index").items():
        cells = [Cell(str(model))]
        for name in names:
            value = figures[name]
            error = figures.get(f"{name} ±")
            text = value_text(value) if error is None else mean_text(value, error)
            cells.append(Cell(text, _sorted_by(value), is_best=bool(value == best[name])))
        rows.append(Row(cells))
    return PageTable(rows, ["model", *names], heading)


def _best(name: str, values: NDArray[np.float64]) -> float | None:
    known = definition(name)
    told = np.unique(values[~np.isnan(values)])
    if known is None or known.better == "neither" or len(told) < 2:
        return None
    return float(told[-1] if known.better == "higher" else told[0])


def _sorted_by(value: int | float) -> float | str:
    return float(value) if pd.notna(value) else ""


def _significance(compared: Comparison) -> Iterator[Section]:
    tables = {name: table for name, table in compared.significance.items() if len(table)}
    if not tables:
        return
    heading = f"{compared.reference} against each"
    first, *others = [_tested_table(name, table) for name, table in tables.items()]
    yield Section(heading, [_HOW_TESTED], [first])
    if others:
        yield Section(f"{heading}, by other metrics", tables=others, is_folded=True)


def _tested_table(metric: str, table: pd.DataFrame) -> PageTable:
    # A column of zeros would push the last ones out of a narrow page.
    names = [name for name in _TESTED if name != "undefined" or table[name].any()]
    rows = []
    for model, row in table.to_dict("index").items():
        cells = [Cell(_tested_text(name, row), _sorted_by(row[name])) for name in names]
        rows.append(Row([Cell(str(model)), *cells]))
    return PageTable(rows, ["over", *(_TESTED[name] for name in names)], metric)


def _tested_text(name: str, row: Mapping[Hashable, Any]) -> str:
    value = row[name]
    text = value_text(int(value) if float(value).is_integer() else value)
    low, high = (row[bound] for bound in _BOUNDS.get(name, (name, name)))
    is_known = name in _BOUNDS and not np.isnan(low)
    return f"{text} ({value_text(low)} to {value_text(high)})" if is_known else text


def _slices(compared: Comparison) -> Iterator[Section]:
    table = compared.slices
    table = table[table["metric"] == compared.metric]
    if table.empty:
        return
    columns = ["slice", "users", *compared.results]
    groups = {
        group: _slice_rows(some, compared) for group, some in table.groupby("group", sort=False)
    }
    notes = [
        f"{compared.metric} with half of its 95 % interval. Grey: fewer than {SMALL} users.",
        "Slices of items are measured by the same lists, by the targets among these items alone. "
        "Head, middle and tail items hold a third of the training rows each, the most popular "
        "first; new items have none.",
    ]
    tables = [PageTable(rows, columns, str(group)) for group, rows in groups.items()]
    yield Section("Slices", notes, tables, in_cards=True, are_wide=True)


def _slice_rows(table: pd.DataFrame, compared: Comparison) -> list[Row]:
    rows = []
    for name, some in table.groupby("slice", sort=False):
        of_model = some.set_index("model").to_dict("index")
        means = [figures["mean"] for figures in of_model.values()]
        best = np.nanmax(means) if len({*means}) > 1 else None
        first = next(iter(of_model.values()))
        group = str(first["group"])
        shown = str(name).removeprefix(f"{group}=").removeprefix(f"{group} ")
        cells = [Cell(shown), Cell.of(first["users"])]
        for model in compared.results:
            figures = of_model[model]
            mean, half = figures["mean"], figures["high"] - figures["mean"]
            cells.append(Cell(mean_text(mean, half), _sorted_by(mean), is_best=bool(mean == best)))
        rows.append(Row(cells, is_grey=first["is_small"]))
    return rows


def _examples(some: Sequence[Example]) -> Iterator[Section]:
    for place, example in enumerate(some):
        known = ", ".join(example.known) or "nothing"
        wanted = ", ".join(example.wanted)
        more = "the latest of " if example.num_known > len(example.known) else ""
        notes = [
            f"Known: {more}{example.num_known:,} items: {known}."
            if example.known
            else "Known: nothing.",
            f"Taken in the test: {example.num_wanted:,} items, among them {wanted}.",
        ]
        lists = [PageList(model, entries) for model, entries in example.lists.items()]
        heading = f"User {example.user}"
        if place == 0:
            yield Section("Examples", ["Lists of some users, drawn at random. Green: a hit."])
        yield Section(heading, notes, lists=lists, in_cards=True, is_folded=place > 0)


def _counts(compared: Comparison) -> Iterator[Section]:
    length = length_of(compared.metric)
    tables = [_models_table(table, name, length) for name, table in compared.groups.items()]
    if tables:
        yield Section("Known and new users", tables=tables, is_folded=True)
    if compared.part is not None:
        counts = counts_table(compared.part)
        rows = [
            Row([Cell(str(name)), *map(Cell.of, row.values())])
            for name, row in counts.to_dict("index").items()
        ]
        yield Section(
            "What is evaluated", tables=[PageTable(rows, ["", "users", "rows"])], is_folded=True
        )


def _formulas(compared: Comparison) -> Section:
    known = {str(name): definition(str(name)) for name in compared.table.columns}
    shown = {
        name.partition("@")[0] + ("@k" if "@" in name else ""): found.formula
        for name, found in known.items()
        if found is not None
    }
    return Section(
        "Formulas", tables=[PageTable.of_pairs("", shown)], in_cards=True, is_folded=True
    )
