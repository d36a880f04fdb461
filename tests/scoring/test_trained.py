import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.errors import InputError, UnknownIdError
from recsparse.scoring import user_scores
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory
from tests.scoring.naive import as_dicts, naive_list, naive_score, random_model, rows_of


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99), st.sampled_from([int, str]))
def test_scores_are_those_of_a_loop_over_the_pairs(num_users, num_items, seed, names):
    model = random_model(num_users, num_items, seed, names)
    rng = np.random.default_rng(seed)
    pairs = pd.DataFrame(
        {
            "user_id": rng.choice(model.users.ids.to_pylist(), 7),
            "item_id": rng.choice(model.items.ids.to_pylist(), 7),
        },
        index=range(7, 14),
    )
    histories = as_dicts(model)
    expected = [naive_score(model, histories, *pair) for pair in pairs.itertuples(index=False)]
    assert model.score(pairs).tolist() == expected
    assert model.score(pa.Table.from_pandas(pairs)).tolist() == expected


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 99),
    st.integers(1, 8),
    st.booleans(),
    st.sampled_from([int, str]),
)
def test_lists_are_those_of_a_loop_over_the_items(
    num_users, num_items, seed, k, filter_seen, names
):
    model = random_model(num_users, num_items, seed, names)
    histories = as_dicts(model)
    users = model.users.ids.to_pylist()[::-1]
    expected = [row for user in users for row in naive_list(model, histories, user, k, filter_seen)]
    assert rows_of(model.recommend(users, k, filter_seen=filter_seen)) == expected


def test_batches_of_users_give_what_all_users_at_once_give(monkeypatch):
    model = random_model(7, 5, seed=1)
    pairs = pd.DataFrame([(u, i) for i in range(500, 505) for u in range(10, 17)])
    pairs.columns = ["user_id", "item_id"]
    lists, scores = model.recommend(k=3), model.score(pairs)
    monkeypatch.setattr(user_scores, "_SCORES_AT_ONCE", 10)
    assert len(list(model.recommend_batches(model.users.ids, 3))) == math.ceil(7 / (10 // 5))
    pd.testing.assert_frame_equal(model.recommend(k=3), lists)
    assert model.score(pairs).tolist() == scores.tolist()


def test_every_known_user_gets_a_list_where_none_is_named():
    model = random_model(4, 6, seed=0)
    assert model.recommend(k=1)["user_id"].tolist() == [10, 11, 12, 13]


def test_only_the_items_asked_for_are_recommended():
    model = random_model(5, 6, seed=2)
    histories, allowed = as_dicts(model), [504, 501, 501]
    expected = [
        row for u in range(10, 15) for row in naive_list(model, histories, u, 3, True, allowed)
    ]
    assert rows_of(model.recommend(k=3, items=allowed)) == expected


def test_no_items_asked_for_give_no_rows():
    assert len(random_model(3, 4, seed=0).recommend(items=[])) == 0


def test_unknown_items_asked_for_are_refused_or_left_out():
    model = random_model(3, 4, seed=0)
    with pytest.raises(UnknownIdError, match=r"every item_id .*1 of 2 are not; .* row 1: 999"):
        model.recommend(items=[501, 999])
    lists = model.recommend(items=[501, 999], filter_seen=False, on_unknown="null")
    assert lists["item_id"].tolist() == [501, 501, 501]


@pytest.mark.parametrize("users", [[], np.array([], dtype=np.int64), pa.array([], pa.int32())])
def test_no_users_give_an_empty_table_of_the_right_types(users):
    lists = random_model(3, 4, seed=0).recommend(users)
    assert len(lists) == 0
    assert lists.dtypes.astype(str).tolist() == ["int64", "int64", "int32", "float32"]


def test_no_pairs_give_no_scores():
    pairs = pd.DataFrame({"user_id": pd.Series(dtype="int64"), "item_id": pd.Series(dtype="int64")})
    assert random_model(3, 4, seed=0).score(pairs).tolist() == []


@pytest.mark.parametrize("k", [0, -1])
def test_a_list_without_places_is_refused(k):
    with pytest.raises(InputError, match=f"k must be at least 1, but got {k}"):
        random_model(3, 4, seed=0).recommend(k=k)


def test_a_user_who_has_seen_everything_gets_no_rows():
    model = random_model(2, 3, seed=0)
    full = pd.DataFrame({"user_id": [10] * 3, "item_id": [500, 501, 502]})
    assert len(model.recommend([10], history=full)) == 0


def test_other_columns_of_the_pairs_do_not_matter():
    pairs = pd.DataFrame({"user_id": [10], "item_id": [501], "mixed": [{"a": [1]}]})
    pairs.loc[1] = [11, 502, "text"]
    assert len(random_model(3, 4, seed=0).score(pairs)) == 2


@pytest.mark.parametrize("missing", ["user_id", "item_id"])
def test_pairs_without_a_column_are_refused(missing):
    pairs = pd.DataFrame({"user_id": [10], "item_id": [501]}).drop(columns=missing)
    with pytest.raises(InputError, match=f"must have the column '{missing}'"):
        random_model(3, 4, seed=0).score(pairs)


def test_ids_of_another_type_are_refused():
    model = random_model(3, 4, seed=0)
    with pytest.raises(InputError, match="ids must be of the type int64"):
        model.score(pd.DataFrame({"user_id": ["10"], "item_id": [501]}))
    with pytest.raises(InputError, match="ids must be of the type int64"):
        model.recommend(["10"])


STRANGERS = pd.DataFrame({"user_id": [10, 77, 10, 77], "item_id": [501, 501, 999, 999]})


def test_unknown_ids_in_pairs_are_refused_by_default():
    model = random_model(3, 4, seed=0)
    with pytest.raises(UnknownIdError, match=r"every user_id .*2 of 4 are not; .* row 1: 77"):
        model.score(STRANGERS)
    with pytest.raises(UnknownIdError, match=r"every item_id .*1 of 2 are not; .* row 1: 999"):
        model.score(STRANGERS.iloc[[0, 2]])


def test_unknown_ids_have_no_score_where_null_is_asked_for():
    model = random_model(3, 4, seed=0)
    scores = model.score(STRANGERS, on_unknown="null")
    assert scores[0] == model.score(STRANGERS[:1])[0]
    assert np.isnan(scores[1:]).all()


def test_unknown_users_have_the_shares_of_the_items_where_popularity_is_asked_for():
    model = random_model(3, 4, seed=0)
    total = model.history.toarray()
    scores = model.score(STRANGERS, on_unknown="popularity")
    assert scores[0] == model.score(STRANGERS[:1])[0]
    assert scores[1] == pytest.approx(total[:, 1].sum() / total.sum())
    assert np.isnan(scores[2:]).all()


def test_unknown_users_in_lists_are_refused_left_out_or_given_the_popular_items():
    model = random_model(3, 4, seed=0)
    with pytest.raises(UnknownIdError, match=r"every user_id .* the first is row 1: 77"):
        model.recommend([10, 77])
    known = rows_of(model.recommend([10], k=4))
    assert rows_of(model.recommend([77, 10], k=4, on_unknown="null")) == known
    popular = model.history.toarray().sum(axis=0)
    order = sorted(range(4), key=lambda item: -popular[item])
    expected = [
        (77, 500 + item, rank + 1, pytest.approx(popular[item] / popular.sum()))
        for rank, item in enumerate(order)
    ]
    both = rows_of(model.recommend([77, 10], k=4, on_unknown="popularity"))
    assert both == [*expected, *known]


def test_shares_sum_to_one_and_are_zero_where_nothing_is_known():
    model = random_model(3, 4, seed=0)
    assert model.popularity().sum() == pytest.approx(1.0)
    empty = TrainedModel(model.model, model.users, model.items, RowsInMemory(csr_matrix((3, 4))))
    assert empty.popularity().tolist() == [0.0] * 4
