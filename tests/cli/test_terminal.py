import json

import numpy as np
import pandas as pd
import pytest

from recsparse.cli.terminal import (
    show_comparison,
    show_frame,
    show_groups,
    show_json,
    show_pairs,
    show_runs,
)


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


def cells(text):
    """The cells of a printed table, row by row."""
    rows = [line for line in text.splitlines() if line[:1] in "│┃"]
    return [[cell.strip() for cell in row.replace("┃", "│").split("│")[1:-1]] for row in rows]


def test_json_has_null_for_nan_at_any_depth(capfd):
    value = {"a": float("nan"), 1: [np.float64("nan"), (1.5, None)], "path": pd.Timestamp(0)}
    show_json(value)
    assert json.loads(capfd.readouterr().out) == {
        "a": None,
        "1": [None, [1.5, None]],
        "path": "1970-01-01 00:00:00",
    }


def test_pairs_are_a_table_of_two_columns(capfd):
    show_pairs("title", {"rows": 1234567, "share": 0.123456, "seconds": 123456.7, "no": np.nan})
    text = capfd.readouterr().out
    assert "title" in text
    assert cells(text) == [
        ["rows", "1,234,567"],
        ["share", "0.1235"],
        ["seconds", "123,457"],
        ["no", "–"],
    ]


def test_groups_are_sections_under_their_headings(capfd):
    show_groups("title", {"grid": {"users": 1234}, "ratings": {"4.5": 2, "mean": 4.5}})
    assert cells(capfd.readouterr().out) == [
        ["grid", ""],
        ["users", "1,234"],
        ["ratings", ""],
        ["4.5", "2"],
        ["mean", "4.5"],
    ]


def test_what_looks_like_markup_is_shown_as_it_is(capfd):
    show_groups("[/b] title", {"[bold]": {"[red]x[/red]": "[/]"}})
    show_frame("[/b] title", pd.DataFrame({"[bold]": ["[/red]"]}))
    text = capfd.readouterr().out
    assert text.count("[/b] title") == 2
    assert cells(text) == [["[bold]", ""], ["[red]x[/red]", "[/]"], ["[bold]"], ["[/red]"]]


def test_a_frame_is_shown_with_its_columns_and_without_its_index(capfd):
    show_frame("title", pd.DataFrame({"name": ["a", "b"], "score": [0.5, np.nan]}, index=[7, 8]))
    assert cells(capfd.readouterr().out) == [["name", "score"], ["a", "0.5"], ["b", "–"]]


def test_a_comparison_has_a_column_a_model_and_errors_beside_the_means(capfd):
    table = pd.DataFrame(
        {
            "users": [9, 9],
            "ndcg@10": [0.5, 0.25],
            "ndcg@10 ±": [0.125, np.nan],
            "coverage@10": [1, 0.5],
        },
        index=pd.Index(["ours", "theirs"], name="model"),
    )
    show_comparison("title", table)
    assert cells(capfd.readouterr().out) == [
        ["", "ours", "theirs"],
        ["users", "9", "9"],
        ["ndcg@10", "0.50 ± 0.12", "0.25"],
        ["coverage@10", "1", "0.5"],
    ]


def test_names_stay_in_one_line_where_the_terminal_is_narrow(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    long = pd.DataFrame({"metric": ["validation_precision_at_10"], "value": ["a " * 20]})
    show_frame("title", long)
    first, second, *_ = cells(capfd.readouterr().out)[1:]
    assert first[0] == "validation_precision_at_10"
    assert second[0] == ""
    # One of several lines' width would leave nothing for the others.
    show_frame("title", pd.DataFrame({"metric": ["x" * 60], "value": ["a"]}))
    assert len(cells(capfd.readouterr().out)) > 2


def test_of_runs_as_much_is_shown_as_a_terminal_is_wide(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    runs = pd.DataFrame(
        {
            "run_id": ["0123456789abcdef"],
            "experiment": ["shop"],
            "name": ["tune sparse_grid"],
            "status": ["FINISHED"],
            "started": pd.to_datetime(["2026-01-02 03:04:05.678"], utc=True),
            "test_map_at_10": [0.25],
            "test_ndcg_at_10": [0.5],
            "test_ndcg_at_5": [0.4567],
            "validation_ndcg_at_20": [0.123456],
        }
    )
    show_runs("title", runs)
    first, second, line = cells(capfd.readouterr().out)
    assert line == ["tune sparse_grid", "FINISHED", "2026-01-02 03:04", "0.1235", "0.4567"]
    assert first == ["", "", "", "validation", "test"]
    assert second == ["name", "status", "started", "nDCG@20", "nDCG@5"]


def test_the_experiment_is_a_column_where_there_are_several(capfd):
    runs = pd.DataFrame(
        {
            "experiment": ["shop", "nightly"],
            "name": ["a", "b"],
            "status": ["FINISHED", "FAILED"],
            "started": pd.to_datetime(["2026-01-02", "2026-01-03"], utc=True),
        }
    )
    show_runs("runs", runs)
    assert cells(capfd.readouterr().out)[0] == ["experiment", "name", "status", "started"]
    show_runs("runs", runs[:1])
    text = capfd.readouterr().out
    assert "runs of the experiment shop" in text
    assert cells(text)[0] == ["name", "status", "started"]


def test_no_runs_are_a_table_without_rows(capfd):
    columns = ("run_id", "experiment", "name", "status", "started")
    runs = pd.DataFrame({name: [] for name in columns})
    show_runs("title", runs)
    assert cells(capfd.readouterr().out) == [["experiment", "name", "status", "started"]]
