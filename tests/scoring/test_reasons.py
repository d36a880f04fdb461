"""The items of a history that brought a recommended item, against loops over dictionaries."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, hstack

from recsparse.config.linear_models import (
    ContentKNNConfig,
    EASEConfig,
    PopularityConfig,
    UserRidgeConfig,
)
from recsparse.config.models import BlendConfig
from recsparse.errors import InputError
from recsparse.models.content.new_items import WithNewItems
from recsparse.models.content.placement import Placement
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.reasons import (
    Contributions,
    HasReasons,
    contributions_of,
    listed_pairs,
    rows_of_cells,
)
from recsparse.models.protocol.user_reader import scores_of
from recsparse.scoring import reasons as reasons_module
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.list_jobs import recommend_users
from recsparse.scoring.reasons import with_reasons
from recsparse.scoring.user_rows import RowsInMemory
from recsparse.testing import NUM_ITEMS, NUM_USERS, fitted, words_of
from tests.scoring.naive import LISTED, Linear, as_dicts, naive_list, random_model, rows_of

BECAUSE, SHARES = ([f"{name}_{number}" for number in (1, 2, 3)] for name in ("because", "share"))


class Explained(Linear, HasReasons):
    """Adds up item-item weights, and says so; half of each score, it claims."""

    def contributions(self, history, times, listed):
        weights = torch.from_numpy(self.weights)[listed_pairs(history, listed)]
        cells = torch.from_numpy(history.data)[:, None] * weights
        return Contributions(cells, torch.zeros(listed.shape), torch.full(listed.shape, 0.5))


def explained(num_users, num_items, seed, names=int):
    model = random_model(num_users, num_items, seed, names)
    weights = np.random.default_rng(seed).integers(-1, 4, (num_items, num_items))
    return replace(model, model=Explained(weights.astype(np.float32)))


def naive_reasons(model, histories, user, item):
    """The largest positive products, of equal ones those of the first items of the catalogue."""
    ids = model.items.ids.to_pylist()
    added = {
        seen: weight * model.model.weights[ids.index(seen), ids.index(item)]
        for seen, weight in histories[user].items()
    }
    positive = [seen for seen in ids if added.get(seen, 0) > 0]
    best = sorted(positive, key=lambda seen: -added[seen])[:3]
    total = sum(added[seen] for seen in positive)
    return best, [added[seen] / total for seen in best]


def filled(values):
    return [*values, *[None] * (3 - len(values))]


def reasons_of(frame):
    assert list(frame.columns) == [
        *LISTED,
        *(name for pair in zip(BECAUSE, SHARES, strict=True) for name in pair),
        "explained",
    ]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    because, shares = (
        [list(row.values()) for row in table.select(names).to_pylist()]
        for names in (BECAUSE, SHARES)
    )
    return because, shares, frame["explained"].tolist()


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 99),
    st.integers(1, 8),
    st.booleans(),
    st.sampled_from([int, str]),
)
def test_reasons_are_those_of_a_loop_over_the_history(
    num_users, num_items, seed, k, filter_seen, names
):
    model = explained(num_users, num_items, seed, names)
    histories, users = as_dicts(model), model.users.ids.to_pylist()[::-1]
    found = model.recommend(users, k, filter_seen=filter_seen, explain=True)
    expected = [row for user in users for row in naive_list(model, histories, user, k, filter_seen)]
    assert rows_of(found[LISTED]) == expected
    because, shares, share_explained = reasons_of(found)
    for number, (user, item, *_) in enumerate(expected):
        best, parts = naive_reasons(model, histories, user, item)
        assert because[number] == filled(best)
        assert shares[number] == pytest.approx(filled(parts), nan_ok=True)
        assert share_explained[number] == (0.5 if best else 0.0)


def test_users_at_a_time_give_what_all_at_once_give(monkeypatch):
    model = explained(7, 6, seed=1)
    whole = model.recommend(k=3, explain=True)
    monkeypatch.setattr(reasons_module, "_PAIRS_AT_ONCE", 15)
    pd.testing.assert_frame_equal(model.recommend(k=3, explain=True), whole)


def test_nobody_gets_the_same_columns():
    model = explained(3, 4, seed=0)
    found = model.recommend([], explain=True)
    assert reasons_of(found) == ([], [], [])
    assert len(model.recommend([])) == 0


def test_a_history_that_is_given_is_what_is_named():
    model = explained(3, 6, seed=2)
    history = pd.DataFrame({"user_id": [99, 99], "item_id": [501, 504]})
    because, *_ = reasons_of(model.recommend(history=history, k=3, explain=True))
    assert {each for row in because for each in row if each} <= {501, 504}
    assert any(each for row in because for each in row)


def test_strangers_who_get_what_is_popular_get_no_reasons():
    model = explained(3, 6, seed=2)
    found = model.recommend([99], 3, on_unknown="popularity", explain=True)
    because, shares, share_explained = reasons_of(found)
    assert (because, shares, share_explained) == ([[None] * 3] * 3, [[None] * 3] * 3, [0.0] * 3)


def test_a_model_whose_scores_are_no_sums_says_what_to_do():
    model = random_model(3, 4, seed=0)
    popular = replace(model, model=Popularity(PopularityConfig()).fit(model.history))
    with pytest.raises(InputError, match=r"those of popularity are not; explain a blend"):
        popular.recommend(explain=True)


def test_items_without_training_rows_have_reasons_by_their_features_and_are_none():
    """The cosine of two items is that of their words: one of its own, one of its group."""
    items = random_model(1, NUM_ITEMS + 2, seed=0).items
    known = replace(random_model(NUM_USERS, NUM_ITEMS, seed=0), model=fitted(ContentKNNConfig()))
    seen = csr_matrix(np.ones((NUM_USERS, 1), np.float32))
    not_seen = csr_matrix((NUM_USERS, 1), dtype=np.float32)
    history = csr_matrix(hstack([known.history, seen, not_seen]), dtype=np.float32)
    words = words_of(NUM_ITEMS).rows(np.array([3, 5]))
    wrapped = WithNewItems(known.model, words, Placement(shift=9.0))
    model = replace(known, model=wrapped, items=items, rows=RowsInMemory(history))
    users = known.users.ids.to_numpy()[known.history.getnnz(axis=1) > 0]
    found = model.recommend(users, k=4, explain=True)
    new = found["item_id"] >= 500 + NUM_ITEMS
    assert found[new]["item_id"].unique().tolist() == [500 + NUM_ITEMS + 1]
    histories = as_dicts(known)
    for user, *row in found[new][["user_id", *BECAUSE, *SHARES]].itertuples(index=False):
        # Item 5 has the words of item 5 itself, and shares one of two with those of its group.
        added = {
            seen: weight * (1 if seen == 505 else 1 / 2)
            for seen, weight in histories[user].items()
            if seen % 2 == 505 % 2
        }
        best = sorted(added, key=lambda seen: (-added[seen], seen))[:3]
        assert [each for each in row[:3] if each == each] == best
        expected = [added[each] / sum(added.values()) for each in best]
        assert [each for each in row[3:] if each == each] == pytest.approx(expected)
    has_any = found["because_1"].notna()
    assert has_any[new].mean() > 0.9
    assert found["explained"].tolist() == has_any.astype(float).tolist()
    expected = known.recommend(users, k=4, explain=True)
    both = found[~new].merge(expected, on=["user_id", "item_id"], suffixes=("", "_known"))
    assert len(both) == len(found[~new]) > 0
    for name in (*BECAUSE, *SHARES, "explained"):
        pd.testing.assert_series_equal(both[name], both[f"{name}_known"], check_names=False)


def test_features_of_users_count_where_a_part_of_a_blend_reads_them():
    """The part that reads them gives no reasons, so that less or more is explained."""
    parts = (EASEConfig(regularisation=5), UserRidgeConfig())
    blend = fitted(BlendConfig(parts=parts, weights=(1.0, 1.0), user_features="all"))
    model = replace(random_model(NUM_USERS, NUM_ITEMS, seed=0), model=blend)
    users = words_of(NUM_USERS)
    listed = torch.arange(2).repeat(NUM_USERS, 1)
    scores = scores_of(blend, model.history, None, users)
    found = contributions_of(blend, model.history, None, listed, users)
    total = found.rest.index_add(0, rows_of_cells(model.history), found.cells)
    torch.testing.assert_close(total, scores[:, :2], rtol=1e-4, atol=1e-4)
    without = contributions_of(blend, model.history, None, listed)
    assert not torch.equal(without.explained, found.explained)
    lists = model.recommend_batches(model.users.ids, 2)
    best = np.tile(np.arange(2), (NUM_USERS, 1))
    table = with_reasons(next(lists), best, model.items, blend, model.history, None, users)
    has_any = table["because_1"].is_valid().to_numpy()
    assert has_any.mean() > 0.9
    expected = np.where(has_any, found.explained.flatten(), 0.0)
    np.testing.assert_allclose(table["explained"], expected, rtol=1e-6)


def test_lists_with_reasons_are_another_job_than_those_without(tmp_path):
    model, options = explained(6, 6, seed=3), BatchOptions(rows_per_part=4)
    with_reasons = replace(options, explain=True, overwrite=True)
    recommend_users(model, tmp_path / "out.parquet", 2, options=options)
    recommend_users(model, tmp_path / "out.parquet", 2, options=with_reasons)
    found = pq.read_table(tmp_path / "out.parquet")
    expected = pa.concat_tables(model.recommend_batches(model.users.ids, 2, explain=True))
    assert found.equals(expected)
