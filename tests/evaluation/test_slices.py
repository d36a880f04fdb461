import math

import numpy as np
import pytest
from scipy.stats import t as student_t

from recsparse.errors import InputError
from recsparse.evaluation.slices import (
    COLUMNS,
    Slice,
    slice_figures,
    slice_key,
    slice_table,
    slice_tables,
)
from tests.evaluation.results import METRIC, result, three_models

ODD = np.arange(5) % 2 == 1


def test_a_slice_of_users_has_their_mean_and_students_interval():
    table = slice_table(result([0.5, 0.1, 0.3, 0.7, np.nan]), [Slice("odd", "parity", users=ODD)])
    assert table.columns.tolist() == [*COLUMNS]
    row = table[table["metric"] == METRIC].iloc[0]
    assert row[["slice", "group", "users", "is_small"]].tolist() == ["odd", "parity", 2, True]
    mean, error = (0.1 + 0.7) / 2, (0.7 - 0.1) / 2
    half = student_t.ppf(0.975, df=1) * error
    assert row[["mean", "low", "high"]].tolist() == pytest.approx([mean, mean - half, mean + half])


@pytest.mark.parametrize(("size", "is_small"), [(29, True), (30, False)])
def test_slices_of_fewer_than_30_users_are_small(size, is_small):
    everybody = Slice("all", "all", users=np.ones(size, dtype=bool))
    assert slice_table(result([0.5] * size), [everybody])["is_small"].tolist() == [is_small] * 2


def test_one_user_has_no_interval_and_nobody_no_mean():
    one = Slice("one", "x", users=np.array([True, False, False]))
    unknown = Slice("unknown", "x", users=np.array([False, False, True]))
    nobody = Slice("nobody", "x", users=np.zeros(3, dtype=bool))
    table = slice_table(result([0.5, 0.1, np.nan]), [one, unknown, nobody])
    table = table[table["metric"] == METRIC].set_index("slice")
    assert table["users"].tolist() == [1, 0, 0]
    assert table.loc["one", "mean"] == 0.5
    assert table[["low", "high"]].isna().all(axis=None)
    assert table.loc[["unknown", "nobody"], "mean"].isna().all()
    assert slice_figures(table.reset_index(), METRIC) == {f"one_{METRIC}": 0.5}


def test_tables_of_models_are_stacked():
    some = [Slice("some", "x", users=np.arange(31) < 4)]
    table = slice_tables(three_models(), some)
    assert table["model"].tolist() == ["best", "best", "near", "near", "far", "far"]
    assert table.loc[2, "mean"] == three_models()["near"].per_user[METRIC][:4].mean()
    assert len(slice_tables(three_models(), [])) == len(slice_tables({}, some)) == 0


def test_slices_of_items_take_a_part_and_lists():
    some = [Slice("some", "x", items=np.ones(3, dtype=bool))]
    with pytest.raises(InputError, match="there is no part; pass the one that was evaluated"):
        slice_table(result([0.5]), some)


def test_names_of_figures_have_no_sign_that_stores_refuse():
    assert slice_key("genre=Children's, über 3 / 4") == "genre_Children_s_über_3_4"
    assert not math.isnan(slice_figures(slice_table(result([0.5] * 2), [
        Slice("a b", "x", users=np.ones(2, dtype=bool))]), METRIC)[f"a_b_{METRIC}"])  # fmt: skip
