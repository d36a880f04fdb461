import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import new_users
from benchmarks.new_users import MOST, SHOWN, VARIANTS, CutHistories, Variant, measure, table
from recsparse.config.config import Config
from recsparse.models.registry import build_model
from tests.prepared import prepared

ITEMS = 40


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Users of two groups, who take twenty or, every fifth, ten items of one half."""
    folder, rng = tmp_path_factory.mktemp("users"), np.random.default_rng(0)
    rows = [
        (user, int(item) * 2 + user % 2)
        for user in range(40)
        for item in rng.permutation(ITEMS // 2)[: 10 if user % 5 == 0 else 20]
    ]
    group = [f"g{user % 2}" for user in range(40)]
    users = pa.table({"user_id": range(40), "gender": group, "age": group, "occupation": group})
    pq.write_table(users, folder / "users.parquet")
    return prepared(folder, rows, [*new_users.SETTINGS], users=folder / "users.parquet")


def test_every_variant_is_a_model():
    for variant in VARIANTS.values():
        build_model(Config.model_validate({"model": dict(variant.model)}).model)


def test_histories_are_the_first_rows_of_users_with_rows_enough(data):
    cut = CutHistories.of(data)
    known = set(data.users.ids.to_pylist())
    users = cut.ids.to_pylist()
    assert users
    assert not known & {*users}
    assert all(user % 5 for user in users)
    for row in range(len(users)):
        times = cut.time[cut.row == row]
        assert (np.diff(times) >= 0).all()
        assert cut.place[cut.row == row].tolist() == [*range(20)]


def test_features_rank_for_users_without_rows_and_shuffled_ones_do_not(data):
    settings = {"kind": "user_ridge", "ridge": 1.0}
    found = measure(Variant(settings), data, seed=0)
    assert [*found.columns] == [*map(str, SHOWN), MOST]
    shuffled = measure(Variant(settings, shuffles=True), data, seed=0)
    assert found["0"].mean() > shuffled["0"].mean() + 0.1


def test_the_table_has_the_means_of_the_seeds():
    columns = [*map(str, SHOWN), MOST]
    tables = [pd.DataFrame({key: [value, value + 0.2] for key in columns}) for value in (0.1, 0.3)]
    row = table({"one": tables}).iloc[0]
    assert row["variant"] == "one"
    assert row["0"] == row[MOST] == f"0.3000 ± {0.2 / 2**0.5 / 2**0.5:.4f}"
