import logging

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.stages.prepare import prepare

SPLIT = ["split.validation=0.2", "split.test=0.2"]


def log(seed=0):
    """Return rows of 60 users and 40 items, the later ones with more rows and lower ratings."""
    rng = np.random.default_rng(seed)
    item = np.minimum(rng.exponential(15, 3_000).astype(int), 39)
    user = rng.integers(0, 60, len(item))
    rating = (item % 5 + rng.random(len(item))).round(2) + 1
    frame = pd.DataFrame({"user_id": user, "item_id": 39 - item, "rating": rating})
    frame["timestamp"] = range(len(frame))
    return frame.drop_duplicates(["user_id", "item_id"])


LOG = log()
COUNTS = LOG.groupby("item_id").size().reindex(range(40), fill_value=0)


def items(**columns):
    return pd.DataFrame({"item_id": range(40), "title": "red fox", **columns})


def warnings(tmp_path, caplog, table, *settings, axis="items"):
    config = load_config(None, [*SPLIT, *settings])
    with caplog.at_level(logging.WARNING):
        prepare(Sources(LOG, **{axis: table}), tmp_path / "dataset", config=config)
    return [record.getMessage() for record in caplog.records]


NOISE = np.random.default_rng(1).random(40)
PLANTED = {
    "num_ratings": (COUNTS.to_numpy(), "number of rows"),
    "popularity": (np.log1p(COUNTS.to_numpy()) + NOISE / 50, "number of rows"),
    "place": (-COUNTS.to_numpy(), "number of rows"),
    "avg_rating": (LOG.groupby("item_id")["rating"].mean().reindex(range(40)), "mean rating"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_number_that_tells_the_target_is_named_with_its_correlation(tmp_path, caplog, name):
    values, what = PLANTED[name]
    table = items(price=NOISE, **{name: values})
    found = warnings(tmp_path, caplog, table, f"features.numbers=['price', '{name}']")
    assert len(found) == 1
    target = COUNTS if what == "number of rows" else PLANTED["avg_rating"][0]
    there = (COUNTS > 0) & ~np.isnan(np.asarray(values, dtype=float))
    expected = spearmanr(np.asarray(values)[there], target[there]).statistic
    assert abs(expected) > 0.95
    start = f"the number {name!r} goes with the {what} of each item, validation and test included"
    assert found[0].startswith(start)
    assert f"(Spearman {expected:.3f} over {there.sum()} of them)" in found[0]


def test_numbers_that_tell_less_are_not_named(tmp_path, caplog):
    part = COUNTS.to_numpy() * (1 + 3 * NOISE)
    assert 0.3 < spearmanr(part, COUNTS).statistic < 0.95
    table = items(price=NOISE, part=part, same=1.0, gone=None, some=[*range(15), *[None] * 25])
    numbers = "features.numbers=['price', 'part', 'same', 'gone', 'some']"
    assert warnings(tmp_path, caplog, table, numbers) == []


def test_rows_of_the_test_count_and_missing_numbers_do_not(tmp_path, caplog):
    some = COUNTS.astype(float).where(NOISE > 0.2)
    found = warnings(tmp_path, caplog, items(some=some), "features.numbers=['some']")
    assert f"(Spearman 1.000 over {((COUNTS > 0) & some.notna()).sum()} of them)" in found[0]


def test_users_are_looked_at_likewise(tmp_path, caplog):
    sizes = LOG.groupby("user_id").size()
    table = pd.DataFrame({"user_id": sizes.index, "actions": sizes.to_numpy()})
    found = warnings(tmp_path, caplog, table, "features.user_numbers=['actions']", axis="users")
    assert [text[:60] for text in found] == [
        "the number 'actions' goes with the number of rows of each us"
    ]


def test_categories_that_are_ids_are_named(tmp_path, caplog):
    own = [f"sku{each}" for each in range(40)]
    table = items(
        sku=own,
        twice=[[each] * 2 for each in own],
        kind=[f"k{n % 8}" for n in range(40)],
        pair=[f"p{n // 2}" for n in range(40)],
        tags=[[f"t{n % 8}", f"u{n % 5}"] for n in range(40)],
    )
    columns = "features.categories=['sku', 'twice', 'kind', 'pair', 'tags']"
    found = warnings(tmp_path, caplog, table, columns)
    number = LOG["item_id"].nunique()
    assert [text.partition(" each,")[0] for text in found] == [
        f"{number} of the {number} categories of {name!r} are of a single training item"
        for name in ("sku", "twice")
    ]
