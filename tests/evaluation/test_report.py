import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsparse.config.evaluation import EvaluationConfig
from recsparse.errors import OutputError
from recsparse.evaluation.comparison import compare
from recsparse.evaluation.report import REPORT, write_report
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from tests.evaluation.results import METRIC, PART, result, three_models


def test_a_report_has_its_page_tables_and_picture(tmp_path):
    results = three_models()
    compared = compare(results, {"best": 1.5, "near": np.nan, "far": 20.0})
    write_report(tmp_path / "report", compared)
    files = {path.name for path in (tmp_path / "report").iterdir()}
    written = {
        *("report.html", "report.json", "comparison.parquet", "metrics.parquet"),
        *("significance.parquet", "comparison.png"),
    }
    assert files == written | {"manifest.toml"}
    stored = pd.read_parquet(tmp_path / "report" / "comparison.parquet")
    pd.testing.assert_frame_equal(stored.set_index("model"), compared.table)
    per_user = pd.read_parquet(tmp_path / "report" / "metrics.parquet")
    for model, one in results.items():
        of_model = per_user[per_user["model"] == model]
        for metric, values in one.per_user.items():
            np.testing.assert_array_equal(of_model[metric], values)
    tested = pd.read_parquet(tmp_path / "report" / "significance.parquet")
    of_metric = tested[tested["metric"] == METRIC].drop(columns="metric").set_index("model")
    expected = compared.significance[METRIC].rename_axis("model")
    pd.testing.assert_frame_equal(of_metric, expected)
    assert (tmp_path / "report" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_json_of_a_report_has_all_figures_and_null_for_what_is_undefined(tmp_path):
    results = {name: replace(one, part=PART) for name, one in three_models().items()}
    compared = compare(results, {"best": 1.5, "near": np.nan, "far": 20.0})
    write_report(tmp_path / "report", compared, EvaluationConfig(), "a part")
    told = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert (told["reference"], told["metric"], told["compared_on"]) == ("best", METRIC, "a part")
    assert told["verdict"] == compared.verdict
    assert told["models"]["best"][METRIC] == results["best"].mean()[METRIC]
    assert told["models"]["near"]["fit seconds"] is None
    assert told["part"]["rows_of_unseen_items"] == 4
    assert told["include_users"] == "all"
    p_value = compared.significance[METRIC].loc["far", "p"]
    assert told["significance"][METRIC]["far"]["p"] == p_value


def test_a_report_is_replaced_by_another_where_that_is_asked_for(tmp_path):
    compared = compare({"a": result([0.5, 0.1])})
    write_report(tmp_path / "report", compared)
    with pytest.raises(OutputError, match="holds a report of another job"):
        write_report(tmp_path / "report", compared)
    with claim(tmp_path / "report", REPORT, Job("evaluate", "b"), overwrite=True) as output:
        write_report(output, compared)


def test_a_report_of_an_older_build_is_known_as_ours(tmp_path):
    folder, job = tmp_path / "report", Job("evaluate", "b")
    folder.mkdir()
    for name in ("comparison.parquet", "metrics.parquet", "comparison.png", "report.md"):
        (folder / name).write_bytes(b"old")
    with pytest.raises(OutputError, match="of an older build"), claim(folder, REPORT, job):
        pass
    for _ in range(2):  # of the same job, it is replaced without asking
        with claim(folder, REPORT, job, overwrite=True) as output:
            write_report(output, compare({"a": result([0.5, 0.1])}))
    assert not (folder / "report.md").exists()


def test_a_report_takes_no_foreign_file_away(tmp_path):
    results = {"a": result([0.5, 0.1])}
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "old.txt").write_text("old")
    with pytest.raises(OutputError, match=r"it is none: it holds old\.txt; nothing was touched"):
        write_report(tmp_path / "report", compare(results))
    assert (tmp_path / "report" / "old.txt").read_text() == "old"


def test_a_report_on_users_without_targets_is_still_written(tmp_path):
    results = {"a": result([np.nan, np.nan]), "b": result([np.nan, np.nan])}
    write_report(tmp_path / "report", compare(results))
    told = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert told["models"]["a"]["users"] == 0
    assert told["models"]["a"][METRIC] is None
