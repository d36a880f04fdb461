import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError, MissingFileError, SchemaError, UnknownIdError
from recsparse.scoring.batch import read_ids, score_candidates
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.list_jobs import recommend_users
from tests.scoring.candidates import (
    MODEL,
    Listener,
    candidates,
    damaged,
    names,
    with_scores,
    written,
)


@pytest.mark.parametrize("out", ["scores.parquet", "scores"])
@pytest.mark.parametrize("rows_per_part", [1, 4, 10, 99])
def test_candidates_keep_their_columns_and_their_order(tmp_path, out, rows_per_part):
    source, done = written(tmp_path), []
    options = BatchOptions(rows_per_part, reporter=Listener(done))
    assert score_candidates(MODEL, source, tmp_path / out, options) == 10
    table = pq.read_table(tmp_path / out)
    assert table.to_pydict() == with_scores(candidates()).to_pydict()
    assert table.schema.field("score").type == pa.float32()
    assert done == [*range(rows_per_part, 10, rows_per_part), 10]
    assert names(tmp_path) == ["candidates.parquet", out]


def test_a_folder_of_candidates_is_read_in_the_order_of_its_files(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(12):
        table = candidates(num_rows=number, seed=number)
        pq.write_table(table, tmp_path / "in" / f"{number:02d}.parquet", row_group_size=3)
    score_candidates(MODEL, tmp_path / "in", tmp_path / "out.parquet", BatchOptions(7))
    expected = [row for n in range(12) for row in with_scores(candidates(n, n)).to_pylist()]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected


def test_unknown_ids_have_null_for_a_score_where_null_is_asked_for(tmp_path):
    table = pa.table({"user_id": [10, 99], "item_id": [500, 500]})
    source, options = written(tmp_path, table), BatchOptions(on_unknown="null")
    score_candidates(MODEL, source, tmp_path / "out.parquet", options)
    scores = pq.read_table(tmp_path / "out.parquet")["score"]
    assert scores.to_pylist() == [MODEL.score(table[:1])[0], None]


def test_a_column_of_scores_is_not_overwritten(tmp_path):
    source = written(tmp_path, with_scores(candidates()))
    with pytest.raises(SchemaError, match="must not have a column 'score' yet"):
        score_candidates(MODEL, source, tmp_path / "out.parquet")
    assert names(tmp_path) == ["candidates.parquet"]


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_candidates_without_an_id_column_are_refused(tmp_path, column):
    source = written(tmp_path, candidates().drop_columns(column))
    with pytest.raises(SchemaError, match=f"must have the column '{column}'"):
        score_candidates(MODEL, source, tmp_path / "out.parquet")
    assert names(tmp_path) == ["candidates.parquet"]


def test_candidates_without_rows_are_refused_and_leave_nothing(tmp_path):
    source = written(tmp_path, candidates(num_rows=0))
    with pytest.raises(InputError, match="the candidates must have rows"):
        score_candidates(MODEL, source, tmp_path / "out")
    assert names(tmp_path) == ["candidates.parquet"]


def test_unknown_ids_in_a_late_part_leave_nothing(tmp_path):
    table = pa.table({"user_id": [10, 11, 99, 98], "item_id": [500, 500, 500, 500]})
    with pytest.raises(UnknownIdError, match="but 2 of 4 are not; the first is row 2: 99"):
        score_candidates(MODEL, written(tmp_path, table), tmp_path / "out", BatchOptions(1))
    assert names(tmp_path) == ["candidates.parquet"]


def test_damaged_pages_are_bad_input(tmp_path):
    source = damaged(written(tmp_path))
    with pytest.raises(InputError, match=r"candidates\.parquet must be a complete Parquet file"):
        score_candidates(MODEL, source, tmp_path / "out")
    assert names(tmp_path) == ["candidates.parquet"]


def test_no_candidates_at_all_are_told(tmp_path):
    with pytest.raises(MissingFileError, match="must be a Parquet or CSV file or folder"):
        score_candidates(MODEL, tmp_path / "nowhere", tmp_path / "out")


@given(st.integers(1, 7), st.integers(1, 20))
def test_lists_do_not_depend_on_the_size_of_the_parts(tmp_path_factory, k, rows_per_part):
    out = tmp_path_factory.mktemp("lists") / "lists.parquet"
    assert recommend_users(MODEL, out, k, options=BatchOptions(rows_per_part)) == 6
    assert pq.read_table(out).to_pydict() == MODEL.recommend(k=k).to_dict("list")


def test_only_the_users_asked_for_get_lists_and_strangers_none(tmp_path):
    done = []
    options = BatchOptions(rows_per_part=2, on_unknown="null", reporter=Listener(done))
    users = pa.array([12, 99, 10])
    assert recommend_users(MODEL, tmp_path / "lists", 2, users, options) == 3
    lists = pq.read_table(tmp_path / "lists")
    assert lists.to_pydict() == MODEL.recommend([12, 10], k=2).to_dict("list")
    assert lists.column_names == ["user_id", "item_id", "rank", "score"]
    assert done == [1, 2, 3]


def test_a_list_without_places_is_refused(tmp_path):
    with pytest.raises(InputError, match="k must be at least 1, but got 0"):
        recommend_users(MODEL, tmp_path / "out", 0)
    assert names(tmp_path) == []


def test_no_users_are_refused(tmp_path):
    with pytest.raises(InputError, match="needs at least one user"):
        recommend_users(MODEL, tmp_path / "out", 2, pa.array([], pa.int64()))
    assert names(tmp_path) == []


def test_strangers_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(UnknownIdError, match="99"):
        recommend_users(MODEL, tmp_path / "out", 1, pa.array([10, 99]), BatchOptions(1))
    assert names(tmp_path) == []


def test_ids_are_read_once_each_in_the_order_of_first_appearance(tmp_path):
    path = written(tmp_path, pa.table({"user_id": ["b", "a", "b"], "other": [1, 2, 3]}))
    assert read_ids(path, "user_id").to_pylist() == ["b", "a"]


def test_ids_of_a_file_without_the_column_or_with_damaged_pages_are_refused(tmp_path):
    path = damaged(written(tmp_path, candidates().select(["user_id"])))
    with pytest.raises(SchemaError, match="must have the column 'user'"):
        read_ids(path, "user")
    with pytest.raises(InputError, match=r"candidates\.parquet must be a complete Parquet file"):
        read_ids(path, "user_id")
