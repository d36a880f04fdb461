import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.intake import Intake, IntakeCounts
from recsparse.datasets.workspace import Resources, workspace
from recsparse.errors import InputError, SchemaError
from tests.prepared import log_table

ROWS = [(user, item) for user in range(4) for item in range(3)]
GIVEN = ["split.kind=given"]


@pytest.fixture
def take(tmp_path):
    """Read logs, by part, and return the intake, the ids and the rows."""

    def take(logs, overrides=(), **settings):
        paths = {}
        for number, (part, tables) in enumerate(logs.items()):
            paths[part] = []
            for place, table in enumerate(tables):
                paths[part].append(tmp_path / f"{number}-{place}.parquet")
                pq.write_table(table, paths[part][-1])
        config, seen = load_config(overrides=list(overrides)), []
        with workspace(Resources(threads=1), tmp_path / "dataset") as work:
            intake = Intake(paths, config, work, **settings)
            encoder = intake.read(seen.append)
            users, items, blocks = encoder.finish(None, None)
            blocks = list(blocks)
        return intake, (users, items, blocks), seen

    return take


def test_all_logs_are_read_and_counted(take):
    tables = [log_table(ROWS), log_table([(9, 1)]), log_table([])]
    intake, (users, items, blocks), seen = take({None: tables})
    assert intake.num_rows == seen[-1] == len(ROWS) + 1
    assert users.vocabulary.ids.to_pylist() == [0, 1, 2, 3, 9]
    assert items.vocabulary.ids.to_pylist() == [0, 1, 2]
    assert sum(map(len, blocks)) == len(ROWS) + 1
    assert intake.counts.kept == len(ROWS) + 1
    assert all(block.part is None and block.text is None for block in blocks)


def test_rows_that_are_left_out_are_counted_by_what_was_wrong(take):
    weights = [-1.0, float("nan"), -2.0] + [1.0] * 9
    ratings = [5.0] * 10 + [1.0] * 2
    table = log_table(ROWS, weight=weights, rating=ratings, event=["view"] * 9 + ["other"] * 3)
    settings = ["log.min_rating=2", "log.event_weights.view=2"]
    intake, (_, _, blocks), _ = take({None: [table]}, settings)
    counts = intake.counts
    assert counts.reasons == {"weight is negative": 2, "weight is not finite": 1}
    assert counts.rejected_rows == 3
    assert counts.below_min_rating + counts.other_events == 3
    assert counts.kept == sum(map(len, blocks)) == len(ROWS) - 3 - 3
    names = ["log_rows", "rejected_rows", "rows_below_min_rating", "rows_of_other_events"]
    assert list(counts.to_dict()) == names
    assert counts.to_dict()["log_rows"] == len(ROWS)
    assert IntakeCounts.of_dataset(counts.to_dict()).to_dict() == counts.to_dict()


def test_rows_of_a_log_for_the_test_are_all_of_that_part(take):
    logs = {0: [log_table(ROWS)], 2: [log_table([(9, 1)])]}
    _, (_, _, blocks), _ = take(logs, GIVEN)
    assert np.concatenate([block.part for block in blocks]).tolist() == [0] * len(ROWS) + [2]


def test_a_column_says_the_part_of_each_row(take):
    names = ["test", "train", "validation"] * 4
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        table = log_table(ROWS, fold=pa.array(names).cast(kind))
        _, (_, _, blocks), _ = take({None: [table]}, [*GIVEN, "split.column=fold"])
        assert np.concatenate([block.part for block in blocks]).tolist() == [2, 0, 1] * 4


@pytest.mark.parametrize("wrong", ["Train", "", None])
def test_another_part_is_named(take, wrong):
    table = log_table(ROWS, part=["train"] * 10 + [wrong] * 2)
    message = (
        r"the column 'part' must say train, validation or test, but 2 rows do not; the first says "
        rf"{wrong!r}; rename it, or choose another split\.kind"
    )
    with pytest.raises(InputError, match=message):
        take({None: [table]}, GIVEN)


def test_texts_of_the_log_are_kept_where_they_are_asked_for(take):
    table = log_table(ROWS, review=["good", "bad", None] * 4)
    intake, (_, _, blocks), _ = take({None: [table]}, ["text.log_columns=['review']"])
    assert intake.reviews is not None
    assert len(set(np.concatenate([block.text for block in blocks]).tolist())) == 3


def test_a_log_without_rows_is_refused(take):
    with pytest.raises(InputError, match=r"the log must have rows, but .*0-0\.parquet.* has none"):
        take({None: [log_table([])]})


def test_a_log_without_good_rows_is_refused_with_the_reasons(take):
    message = (
        r"0-0\.parquet must have good rows, but of 12 none is left: weight is negative: 10, rating "
        r"too low: 2"
    )
    table = log_table(ROWS, weight=[-1.0] * 10 + [1.0] * 2, rating=[1.0] * 12)
    with pytest.raises(InputError, match=message):
        take({None: [table]}, ["log.min_rating=2"])


def test_logs_of_other_id_types_are_refused(take):
    named = log_table([(str(user), item) for user, item in ROWS])
    message = (
        r"int64 and int64 in .*0-0\.parquet, and string and int64 in .*1-0\.parquet; cast one of"
    )
    with pytest.raises(SchemaError, match=message):
        take({0: [log_table(ROWS)], 2: [named]}, GIVEN)
    with pytest.raises(SchemaError, match=r"string and int64 in old, and int64 and int64 in .*0-0"):
        take({None: [log_table(ROWS)]}, kept=("old", pa.string(), pa.int64()))
