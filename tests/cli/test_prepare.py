import json

import pyarrow.parquet as pq
import pytest

from recsparse.datasets.dataset_folder import load_dataset
from tests.prepared import contents, log_table

ROWS = [(user, item) for user in range(10) for item in range(10)]
LATER = [(user, item) for user in range(5, 12) for item in range(20, 28)]


@pytest.fixture
def logs(workplace):
    """Logs in the current folder: `log`, `later`, which has new ids, and `given` with its parts."""
    parts = ["test" if place % 10 == 0 else "train" for place in range(len(ROWS))]
    kinds = ["view" if place % 4 else "buy" for place in range(len(ROWS))]
    pq.write_table(log_table(ROWS, event=kinds), "log.parquet")
    pq.write_table(log_table(LATER), "later.parquet")
    pq.write_table(log_table(ROWS, fold=parts), "given.parquet")


@pytest.fixture
def prepare(recsparse, logs):
    """Run `recsparse prepare`, and return the counts that it shows."""

    def prepare(*words):
        outcome = recsparse("prepare", *words, "--json")
        assert outcome.status == 0, outcome.err
        return json.loads(outcome.out)

    return prepare


def test_a_dataset_is_extended_by_new_days(prepare, workplace):
    prepare("log.parquet", "--out", "old")
    shown = prepare("later.parquet", "--append", "old", "--out", "new")
    assert shown["log_rows"] == len(ROWS) + len(LATER)
    prepare("log.parquet", "later.parquet", "--ids-from", "old", "--out", "at-once")
    assert contents("new") == contents("at-once")
    prepare("later.parquet", "--append", "old", "--out", "old")
    assert contents("old") == contents("new")


def test_memory_threads_and_the_place_to_spill_change_nothing(prepare, workplace):
    prepare("log.parquet", "--out", "one")
    limits = ["--memory", "50MB", "--threads", "1", "--spill", "spill"]
    prepare("log.parquet", "--out", "other", *limits)
    assert contents("one") == contents("other")
    assert list((workplace / "spill").iterdir()) == []


def test_parts_come_from_files_or_from_a_column(prepare, workplace):
    by_column = prepare(
        "given.parquet", "--out", "a", "--set", "split.kind=given", "--set", "split.column=fold"
    )
    assert by_column["test_rows"] == len(ROWS) / 10
    by_files = prepare("log.parquet", "--test", "later.parquet", "--out", "b")
    assert by_files["test_rows"] == len(LATER)
    assert by_files["train_rows"] + by_files["validation_rows"] == len(ROWS)
    with_both = prepare(
        "log.parquet", "--validation", "given.parquet", "--test", "later.parquet", "--out", "c"
    )
    assert with_both["validation_rows"] == with_both["train_rows"] == len(ROWS)


def test_rows_are_chosen_by_a_condition(prepare):
    shown = prepare("log.parquet", "--out", "data", "--where", "event = 'view' and item_id < 8")
    chosen = [row for place, row in enumerate(ROWS) if place % 4 and row[1] < 8]
    data = load_dataset("data")
    assert shown["train_rows"] + shown["validation_rows"] + shown["test_rows"] == len(chosen)
    assert data.config.log.where == "event = 'view' and item_id < 8"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--memory", "lots"], "memory must be a size such as 4GB or 500MB, but is 'lots'"),
        (["--append", "nowhere"], "there is none at nowhere; leave --append out to make the first"),
        (["--ids-from", "nowhere"], "there is none at nowhere; leave --ids-from out"),
        (["--set", "split.kind=given"], "must have the column 'part'"),
        (["--where", "event = "], "where"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(recsparse, logs, workplace, words, message):
    before = {path.name for path in workplace.iterdir()}
    outcome = recsparse("prepare", "log.parquet", "--out", "data", *words)
    assert outcome.status == 2
    assert message in " ".join(outcome.err.split())
    assert {path.name for path in workplace.iterdir()} == before


@pytest.mark.parametrize("threads", ["0", "two"])
def test_threads_are_a_number_of_at_least_one(recsparse, logs, threads):
    outcome = recsparse("prepare", "log.parquet", "--out", "data", "--threads", threads)
    assert outcome.status == 2
    assert "threads" in outcome.err
