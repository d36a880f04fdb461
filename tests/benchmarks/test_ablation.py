import numpy as np
import pandas as pd
import pytest
import typer

from benchmarks.ablation import View, chosen, protocol_of
from benchmarks.protocols.differences import differences
from benchmarks.protocols.protocols import PROTOCOLS
from benchmarks.protocols.variants import ITEM_TABLES, VARIANTS, Variant
from recsparse.config.config import Config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.models.registry import build_model


@pytest.fixture
def data(small_dataset):
    return load_dataset(small_dataset)


def test_every_variant_is_a_model_of_a_known_protocol():
    for name, variants in VARIANTS.items():
        assert protocol_of(name) in PROTOCOLS.values() or name in ITEM_TABLES
        for variant in variants.values():
            build_model(Config.model_validate({"model": dict(variant.model)}).model)


def test_the_first_variant_is_measured_beside_those_that_are_named():
    variants = VARIANTS["ml100k-last-out"]
    first, second, third, *_ = variants
    assert [*chosen(variants, None)] == [*variants]
    assert [*chosen(variants, f"{third};{second}")] == [first, third, second]
    assert [*chosen(variants, first)] == [first]
    with pytest.raises(typer.BadParameter, match=r"some of \[.*, but has \['none'\]"):
        chosen(variants, f"{second};none")


@pytest.mark.parametrize("order", ["spectral", "random"])
def test_an_order_moves_all_parts_alike(data, order):
    view = View(data, Variant(item_order=order), seed=3)
    log, part = data.train_matrix(), data.evaluation_part("test")
    assert sorted(view.index) == list(range(log.shape[1]))
    for own, before in (
        (view.columns(log), log),
        (view.part("test").history, part.history),
        (view.part("test").targets, part.targets),
    ):
        assert np.array_equal(own.toarray(), before.toarray()[:, view.index])


def test_shuffled_times_are_those_of_the_same_user(data):
    times = data.train_times()
    shuffled = View(data, Variant(shuffles_time=True), seed=0).times(times)
    assert not np.array_equal(shuffled.data, times.data)
    for user in range(times.shape[0]):
        own, before = shuffled[user], times[user]
        assert np.array_equal(own.indices, before.indices)
        assert sorted(own.data) == sorted(before.data)


def test_shuffled_features_are_those_of_other_items(data):
    own, shuffled = (View(data, Variant(shuffles_features=each), 0).features() for each in (0, 1))
    rows = [each.sparse().toarray().tolist() for each in (own, shuffled)]
    assert rows[0] != rows[1]
    assert sorted(rows[0]) == sorted(rows[1])


def test_features_are_those_of_the_table_that_the_variants_name():
    protocol = protocol_of("ml100k-last-out-features")
    assert protocol.items == "movielens-100k/items.parquet"
    assert protocol.settings[-1] == "features.categories=['categories']"
    assert protocol_of("ml1m-last-out") is PROTOCOLS["ml1m-last-out"]


def test_differences_are_counted_by_sign_where_they_are_clear():
    rng = np.random.default_rng(0)
    users = pd.Series(rng.random(400))
    noise = [pd.Series(rng.normal(0, 0.1, 400)) for _ in range(3)]
    table = differences(
        {
            "base": [users] * 3,
            "better": [users + 0.1 + each for each in noise],
            "worse": [users - 0.1 + each for each in noise],
            "same": [users + each - each.mean() for each in noise],
        }
    ).set_index("variant")
    assert table.loc["better", ["better", "worse"]].tolist() == [3, 0]
    assert table.loc["worse", ["better", "worse"]].tolist() == [0, 3]
    assert table.loc["same", ["better", "worse"]].tolist() == [0, 0]
    assert table.loc["base", "mean"].startswith(f"{users.mean():.4f}")
