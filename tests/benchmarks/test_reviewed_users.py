import numpy as np
import pandas as pd
import pytest

from benchmarks import reviewed_users
from benchmarks.reviewed_users import SETTINGS, SHOWN, VARIANTS, Variant, measure, split_log, table
from recsparse.config.config import Config
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.models.registry import build_model
from recsparse.stages.prepare import prepare

ITEMS = 30


@pytest.fixture(scope="module")
def log():
    """Users of two groups, who take eight items of one half each and write of that half."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{user:02}", int(item) * 2 + user % 2, time, f"a word of half{user % 2}", "good")
        for user in range(80)
        for time, item in enumerate(rng.permutation(ITEMS // 2)[:8])
    ]
    columns = ["user_id", "item_id", "timestamp", "review_text", "summary"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1)


def test_every_variant_is_a_model_and_controls_differ_by_the_shuffle_alone():
    for variant in VARIANTS.values():
        build_model(Config.model_validate({"model": dict(variant.model)}).model)
        if variant.control is not None:
            assert VARIANTS[variant.control] == Variant(variant.model, shuffles=True)


@pytest.mark.parametrize("shown", SHOWN)
def test_new_users_have_their_first_rows_in_training_and_the_rest_after_the_third_in_the_test(
    log, shown
):
    parts = split_log(log, 0, shown)
    counts = parts.groupby(["user_id", "part"]).size().unstack(fill_value=0)
    new = counts[counts["test"] > 0]
    assert 20 < len(new) < 60
    assert (new["train"] == shown).all()
    assert (new["test"] == 8 - SHOWN[-1]).all()
    assert (new["validation"] == 0).all()
    others = counts[counts["test"] == 0]
    assert (others["train"] + others["validation"] == 8).all()
    for _, rows in parts[parts["user_id"].isin(new.index)].groupby("user_id"):
        before, after = rows[rows["part"] == "train"], rows[rows["part"] == "test"]
        assert before["timestamp"].max() < after["timestamp"].min()
    same = split_log(log.iloc[::-1], 0, shown)
    columns = ["user_id", "item_id", "part"]
    assert same[columns].reset_index(drop=True).equals(parts[columns].reset_index(drop=True))


def test_reviews_rank_for_users_of_one_row_and_shuffled_ones_do_not(log, tmp_path):
    config = load_config(overrides=[*SETTINGS, "text.min_documents=1"])
    prepare(Sources(split_log(log, 0, 1)), tmp_path / "data", config=config)
    data = load_dataset(tmp_path / "data")
    model = {"kind": "user_ridge", "ridge": 1.0, "user_features": ["reviews"]}
    found, shuffled = (measure(Variant(model, shuffles=each), data, 0) for each in (False, True))
    assert found.mean() > shuffled.mean() + 0.1


def test_the_table_has_means_errors_and_the_largest_p_against_the_control(monkeypatch):
    variants = {"a": Variant({}, control="b"), "b": Variant({}, shuffles=True)}
    monkeypatch.setattr(reviewed_users, "VARIANTS", variants)
    far, near = pd.Series([0.5, 0.6, 0.7, 0.8]), pd.Series([0.1, 0.2, 0.4, 0.1])
    found = {("a", 1): [far, near], ("b", 1): [near, near + np.array([0.0, 0.1, 0.0, 0.0])]}
    rows = table(found).set_index("variant")
    # Means .65 and .2, whose standard error is |.65 − .2| / √2 / √2.
    assert rows.loc["a", "1 rows"] == "0.4250 ± 0.2250"
    assert rows.loc["a", "1 rows, p"] == "4e-01"
    assert rows.loc["b", "1 rows, p"] == ""
