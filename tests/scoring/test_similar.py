from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.linear_models import ContentKNNConfig, EASEConfig, PopularityConfig
from recsparse.config.models import BlendConfig
from recsparse.errors import InputError, UnknownIdError
from recsparse.models.content.new_items import WithNewItems
from recsparse.models.content.placement import Placement
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.scoring import similar as similar_module
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.list_jobs import similar_to_items
from recsparse.scoring.parted_output import PartedOutput
from recsparse.testing import NUM_ITEMS, NUM_USERS, fitted, words_of
from tests.scoring.naive import Linear, random_model

LISTED = ["item_id", "similar_item_id", "rank", "score"]


class Alike(Linear, HasSimilarItems):
    """Items are as alike as its weights say: small whole numbers, so that there are ties."""

    def similarities(self, items):
        return torch.from_numpy(self.weights[items])


def alike(num_items, seed=0, names=int):
    model = random_model(3, num_items, seed, names)
    weights = np.random.default_rng(seed).integers(-2, 4, (num_items, num_items))
    return replace(model, model=Alike(weights.astype(np.float32)))


def naive_list(model, item, k):
    """The k others of the largest weights above 0, ties by the catalogue's order."""
    ids = model.items.ids.to_pylist()
    weights = dict(zip(ids, model.model.weights[ids.index(item)].tolist(), strict=True))
    others = [other for other in ids if other != item and weights[other] > 0]
    best = sorted(others, key=lambda other: -weights[other])[:k]
    return [(item, other, rank + 1, weights[other]) for rank, other in enumerate(best)]


def rows_of(frame):
    assert list(frame.columns) == LISTED
    return list(frame.itertuples(index=False, name=None))


@given(st.integers(1, 7), st.integers(0, 99), st.integers(1, 9), st.sampled_from([int, str]))
def test_lists_are_those_of_a_loop_over_the_items(num_items, seed, k, names):
    model = alike(num_items, seed, names)
    ids = model.items.ids.to_pylist()
    expected = [row for item in ids for row in naive_list(model, item, k)]
    assert rows_of(model.similar_items(k=k)) == expected
    wanted = [ids[-1], ids[0], ids[-1]]
    expected = [row for item in wanted for row in naive_list(model, item, k)]
    assert rows_of(model.similar_items(wanted, k)) == expected


def test_chunks_of_items_give_what_all_items_at_once_give(monkeypatch):
    model, chunks = alike(7, seed=1), []
    whole = model.similar_items(k=3)
    monkeypatch.setattr(similar_module, "_SIMILARITIES_AT_ONCE", 15)
    original = Alike.similarities
    monkeypatch.setattr(
        Alike,
        "similarities",
        lambda self, items: chunks.append(len(items)) or original(self, items),
    )
    pd.testing.assert_frame_equal(model.similar_items(k=3), whole)
    assert chunks == [2, 2, 2, 1]


def test_the_weights_of_the_model_stay_as_they_were():
    model = alike(5)
    before = model.model.weights.copy()
    model.similar_items()
    assert (model.model.weights == before).all()


def test_no_items_asked_for_give_no_rows():
    frame = alike(4).similar_items([])
    assert rows_of(frame) == []


def test_unknown_items_are_refused():
    with pytest.raises(UnknownIdError, match=r"1 of 2 are not; the first is row 1: 99; leave"):
        alike(4).similar_items([500, 99])


def test_a_list_must_have_room_for_an_item():
    with pytest.raises(InputError, match="k must be at least 1, but got 0"):
        alike(4).similar_items(k=0)


def test_a_model_that_knows_nothing_of_items_says_what_to_do():
    model = random_model(3, 4, seed=0)
    popular = replace(model, model=Popularity(PopularityConfig()).fit(model.history))
    with pytest.raises(InputError, match=r"but popularity has no vectors.*as item_knn or ials"):
        popular.similar_items()


def test_lists_hold_new_items_by_their_cosine_and_those_of_new_items_hold_known_ones():
    """Items 512 and 513 have the words of 503 and 505, item 514 none: it is in no list."""
    known = replace(random_model(NUM_USERS, NUM_ITEMS, seed=0), model=fitted(ContentKNNConfig()))
    items = random_model(1, NUM_ITEMS + 3, seed=0).items
    words = words_of(NUM_ITEMS).rows(np.array([3, 5, -1]))
    model = replace(known, model=WithNewItems(known.model, words, Placement()), items=items)
    twin = {500 + place: place for place in range(NUM_ITEMS)} | {512: 3, 513: 5}
    found = rows_of(model.similar_items(k=20))
    for item in items.ids.to_pylist()[:-1]:
        others = twin if item < 512 else range(500, 512)
        # Each word is one of the item's own, or one of its group.
        cosine = {
            other: 1.0 if twin[other] == twin[item] else 0.5
            for other in others
            if other != item and twin[other] % 2 == twin[item] % 2
        }
        expected = sorted(cosine, key=lambda other: (-cosine[other], other))
        own = [row for row in found if row[0] == item]
        assert [row[1] for row in own] == expected
        if item < 512:
            assert [row[3] for row in own] == pytest.approx([cosine[each] for each in expected])
    assert 514 not in {row[0] for row in found} | {row[1] for row in found}


def test_in_the_lists_of_a_blend_new_items_stand_by_deviations_from_the_mean():
    config = BlendConfig(
        parts=(EASEConfig(regularisation=5), ContentKNNConfig()), weights=(1.0, 0.5)
    )
    base, items = fitted(config), random_model(1, NUM_ITEMS + 1, seed=0).items
    words = words_of(NUM_ITEMS).rows(np.array([5]))
    model = replace(
        random_model(NUM_USERS, NUM_ITEMS, seed=0),
        model=WithNewItems(base, words, Placement(shift=-9.0)),
        items=items,
    )
    lists = model.similar_items([503], k=20).set_index("similar_item_id")["score"]
    cosines = np.array([1.0 if item == 3 else 0.5 * (item % 2) for item in range(NUM_ITEMS)])
    z = base.new_weights[1] * (0.5 - cosines.mean()) / cosines.std()
    known = base.similarities(np.array([3])).numpy()[0]
    assert lists[512] == pytest.approx(known.mean() + known.std() * z, rel=1e-4)


@pytest.mark.parametrize("change", ["none", "k", "weights", "items"])
def test_a_killed_job_goes_on_with_its_parts_and_makes_those_of_another_job_anew(
    tmp_path, monkeypatch, change
):
    model, options, made = alike(6), BatchOptions(rows_per_part=4), []
    write = PartedOutput.write

    def killed_at_the_second(output, part, table):
        if part == 1:
            raise KeyboardInterrupt
        write(output, part, table)

    with monkeypatch.context() as patch:
        patch.setattr(PartedOutput, "write", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            similar_to_items(model, tmp_path / "out", 2, options=options)
    monkeypatch.setattr(PartedOutput, "write", lambda *args: made.append(args[1]) or write(*args))
    model = alike(6, seed=1 if change == "weights" else 0)
    k, items = 1 if change == "k" else 2, model.items.ids[::-1] if change == "items" else None
    assert similar_to_items(model, tmp_path / "out", k, items, options) == 6
    assert made == {"none": [1, 2], "k": [0, 1]}.get(change, [0, 1, 2])
    expected = model.similar_items(items, k).to_dict("list")
    assert pq.read_table(tmp_path / "out").to_pydict() == expected
