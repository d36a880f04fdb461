import json

import pytest

from recsparse.config.config import TrackingConfig
from recsparse.tracking.open_run import start_run


@pytest.fixture
def recorded(workplace):
    for name, figure in (("low", 0.25), ("high", 0.5)):
        with start_run(TrackingConfig(), workplace, name) as run:
            run.log_metrics({"test_ndcg@10": figure})
            run.log_params({"name": name})


def shown(outcome):
    assert outcome.status == 0, outcome
    return json.loads(outcome.out)


def test_runs_are_listed_filtered_compared_and_ranked(recsparse, recorded):
    assert [each["name"] for each in shown(recsparse("runs", "--json"))][:2] == ["high", "low"]
    some = recsparse("runs", "--filter", "metrics.test_ndcg_at_10 < 0.3", "--json")
    assert [each["name"] for each in shown(some)] == ["low"]
    (row,) = shown(recsparse("runs", "--compare", "low", "high", "--json"))
    assert (row["metric"], row["difference"], row["change %"]) == ("test_ndcg_at_10", 0.25, 100)
    rows = shown(recsparse("runs", "--diff", "low", "high", "--json"))
    assert [(each["of"], each["name"]) for each in rows] == [
        ("parameter", "name"), ("metric", "test_ndcg_at_10"),
    ]  # fmt: skip
    best = shown(recsparse("runs", "--best", "ndcg@10", "--json"))
    assert [each["name"] for each in best] == ["high", "low"]


def test_tables_say_the_same(recsparse, recorded):
    assert "change %" in recsparse("runs", "--compare", "low", "high").out
    assert "parameter" in recsparse("runs", "--diff", "low", "high").out
    best = recsparse("runs", "--best", "ndcg@10").out
    assert best.index("high") < best.index("low")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--compare", "low", "nothing"], "'nothing' must be the id or the name of a run"),
        (["--diff", "low", "low"], "two runs must be named"),
        (["--best", "ndgc@10"], "the nearest known is"),
        (["--filter", "nonsense"], "the filter must be one of MLflow's"),
        (["--best", "a", "--diff", "low", "high"], "give one of --filter"),
    ],
)
def test_what_cannot_be_told_ends_with_status_2(recsparse, recorded, words, told):
    outcome = recsparse("runs", *words)
    assert outcome.status == 2
    assert told in " ".join(outcome.err.replace("│", " ").split())
