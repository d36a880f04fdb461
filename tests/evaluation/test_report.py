from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsparse.config.evaluation import EvaluationConfig
from recsparse.datasets.evaluated.part_counts import PartCounts
from recsparse.errors import InputError, OutputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.report import (
    REPORT,
    catalogue_tag,
    compared_on,
    comparison_table,
    counts_table,
    group_tables,
    part_figures,
    plot_comparison,
    run_figures,
    write_report,
)
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job

METRIC = "ndcg@10"
PART = PartCounts(
    users=5, rows=9, unseen_users=2, rows_of_unseen_users=3, unseen_items=1,
    users_of_unseen_items=2, rows_of_unseen_items=4, evaluated_users=3, evaluated_rows=5,
    evaluated_lists=3, users_without_history=1, rows_of_users_without_history=2,
)  # fmt: skip


def result(values, coverage=0.5):
    array = np.array(values, dtype=np.float64)
    num_users = int((~np.isnan(array)).sum())
    return RankingResult({METRIC: array, "mrr@10": array / 2}, {"coverage@10": coverage}, num_users)


def three_models(num_users=30, seed=0):
    """Random qualities of three models, the last user without targets."""
    rng = np.random.default_rng(seed)
    base = rng.random(num_users)
    noise = rng.normal(0, 0.1, (2, num_users))
    values = {"best": base, "near": base - noise[0], "far": base - 0.3 + noise[1]}
    return {model: result([*mine, np.nan]) for model, mine in values.items()}


def test_the_comparison_has_users_means_errors_and_coverage():
    table = comparison_table(
        {"a": result([0.1, 0.5, np.nan]), "b": result([0.2, 0.2, np.nan], 1.0)}
    )
    assert table.columns.tolist() == [
        *("users", METRIC, f"{METRIC} ±", "mrr@10", "mrr@10 ±", "coverage@10"),
    ]
    assert table.index.name == "model"
    assert table.loc["a"].to_dict() == pytest.approx(
        {
            "users": 2,
            METRIC: (0.1 + 0.5) / 2,
            # Half the distance of two values is their standard error.
            f"{METRIC} ±": (0.5 - 0.1) / 2,
            "mrr@10": (0.1 + 0.5) / 2 / 2,
            "mrr@10 ±": (0.5 - 0.1) / 2 / 2,
            "coverage@10": 0.5,
        }
    )
    assert table.loc["b", f"{METRIC} ±"] == 0.0
    assert pd.api.types.is_integer_dtype(table["users"])


def counted(values, is_new):
    """A result that says what it is of."""
    return replace(
        result(values), part=PART, is_new=np.array(is_new), unknown_items=1, rows_of_unknown_items=4
    )


def test_what_is_counted_stands_behind_the_figures_of_each_model():
    table = comparison_table({"a": counted([0.5, 0.0, 1.0], [False, True, True])})
    assert table.columns.tolist()[-2:] == ["unknown items", "rows of unknown items"]
    assert table.loc["a"].tolist()[-2:] == [1, 4]
    assert counts_table(PART).to_dict("index") == {
        "test part": {"users": 5, "rows": 9},
        "users without training rows": {"users": 2, "rows": 3},
        "1 items without training rows": {"users": 2, "rows": 4},
        "evaluated": {"users": 3, "rows": 5},
        "evaluated without a history before the part": {"users": 1, "rows": 2},
    }


def test_lists_are_counted_where_users_have_several():
    counts = replace(PART, evaluated_lists=1204)
    assert counts_table(counts).loc["evaluated by 1,204 lists"].tolist() == [3, 5]
    assert part_figures(counts)["test_evaluated_lists"] == 1204


def test_figures_of_a_run_have_names_of_their_own():
    figures = run_figures(counted([0.5, 0.0, 1.0], [False, True, True]))
    names = (METRIC, f"known_users_{METRIC}", f"new_users_{METRIC}", "coverage@10")
    assert [figures[f"test_{name}"] for name in names] == [0.5] * 4
    assert figures["test_rows_of_unknown_items"] == 4
    assert part_figures(PART).items() <= figures.items()
    assert part_figures(PART)["test_rows_of_unseen_users"] == 3
    assert part_figures(None) == {}
    assert run_figures(result([0.5])) == {
        f"test_{METRIC}": 0.5,
        "test_mrr@10": 0.25,
        "test_coverage@10": 0.5,
    }


def test_groups_are_tables_of_their_own_where_there_are_two():
    some = {"a": counted([0.5, 0.0, 1.0], [False, True, True])}
    tables = group_tables(some)
    assert {name: table.loc["a", "users"] for name, table in tables.items()} == {
        "known users": 1,
        "new users": 2,
    }
    assert group_tables({"a": counted([0.5], [True])}) == group_tables({}) == {}


def test_the_picture_has_a_bar_a_model_and_the_best_on_top():
    figure = plot_comparison(three_models(), METRIC)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["far", "near", "best"]
    means = {model: one.mean()[METRIC] for model, one in three_models().items()}
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([means["far"], means["near"], means["best"]])
    assert METRIC in axes.get_xlabel()


def test_a_report_has_its_text_tables_and_picture(tmp_path):
    results = three_models()
    table = comparison_table(results).assign(**{"fit seconds": [1.5, np.nan, 20.0]})
    write_report(tmp_path / "report", results, table, reference="best")
    files = {path.name for path in (tmp_path / "report").iterdir()}
    written = {"report.md", "comparison.parquet", "metrics.parquet", "comparison.png"}
    assert files == written | {"manifest.toml"}
    stored = pd.read_parquet(tmp_path / "report" / "comparison.parquet")
    pd.testing.assert_frame_equal(stored.set_index("model"), table)
    per_user = pd.read_parquet(tmp_path / "report" / "metrics.parquet")
    for model, one in results.items():
        of_model = per_user[per_user["model"] == model]
        assert of_model["user_index"].tolist() == list(range(31))
        for metric, values in one.per_user.items():
            np.testing.assert_array_equal(of_model[metric], values)
    assert (tmp_path / "report" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_text_of_a_report_has_a_row_a_model_and_full_numbers_of_users(tmp_path):
    results = {"a": result(np.linspace(0, 1, 12_345)), "b": result(np.linspace(0, 0.5, 12_345))}
    write_report(tmp_path / "report", results, comparison_table(results), reference="a")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "# Test part, 12,345 users" in text
    assert "| a | 12,345 | 0.5 |" in text
    assert "| b | 12,345 | 0.25 |" in text
    assert f"## {METRIC}: a against each" in text
    assert "| b | 0.25 |" in text


@pytest.mark.parametrize(
    ("catalogue", "shown", "tag"),
    [
        ("known", "known items", {"test_catalogue": "known"}),
        ("new", "items without training rows among themselves", {"test_catalogue": "new"}),
        (None, "full catalogue", {}),
    ],
)
def test_a_report_says_which_items_were_ranked(tmp_path, catalogue, shown, tag):
    results = {"a": replace(result([0.5, 0.1]), catalogue=catalogue)}
    # What is set may be open; what was used is not.
    write_report(tmp_path / "report", results, comparison_table(results), "a", EvaluationConfig())
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert text.startswith(f"# Test part, 2 users, {shown}\n\nItems: {catalogue}. Users: all.\n")
    assert compared_on(results["a"]) == f"test part, {shown}"
    assert catalogue_tag(results["a"]) == tag


def test_an_older_report_is_replaced_where_that_is_asked_for(tmp_path):
    results = {"a": result([0.5, 0.1])}
    arguments = results, comparison_table(results), "a"
    write_report(tmp_path / "report", *arguments)
    with pytest.raises(OutputError, match="holds a report of another job"):
        write_report(tmp_path / "report", *arguments)
    (tmp_path / "report" / "manifest.toml").unlink()
    job = Job("evaluate", "b")
    with (
        pytest.raises(OutputError, match="of an older build"),
        claim(tmp_path / "report", REPORT, job),
    ):
        pass
    with claim(tmp_path / "report", REPORT, job, overwrite=True) as output:
        write_report(output, *arguments)
    with claim(tmp_path / "report", REPORT, job) as output:
        write_report(output, *arguments)
    assert len(list((tmp_path / "report").iterdir())) == 5


def test_a_report_takes_no_foreign_file_away(tmp_path):
    results = {"a": result([0.5, 0.1])}
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "old.txt").write_text("old")
    with pytest.raises(OutputError, match=r"it is none: it holds old\.txt; nothing was touched"):
        write_report(tmp_path / "report", results, comparison_table(results), "a")
    assert (tmp_path / "report" / "old.txt").read_text() == "old"


def test_a_report_of_an_unknown_reference_is_refused_and_nothing_written(tmp_path):
    results = {"a": result([0.5, 0.1])}
    with pytest.raises(InputError, match=r"a result of 'b', but there are \['a'\]"):
        write_report(tmp_path / "report", results, comparison_table(results), reference="b")
    assert list(tmp_path.iterdir()) == []


def test_a_report_on_users_without_targets_is_still_written(tmp_path):
    results = {"a": result([np.nan, np.nan]), "b": result([np.nan, np.nan])}
    write_report(tmp_path / "report", results, comparison_table(results), reference="a")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| a | 0 | nan |" in text
