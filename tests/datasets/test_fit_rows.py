import pandas as pd
import pytest

from recsparse.datasets.fit_rows import rows_to_fit
from tests.prepared import prepared

TIMES = [*range(40)]
ROWS = [(f"u{number % 7}", f"i{number * number % 11}") for number in TIMES]
SPLITS = {
    "random": ["split.kind=random", "split.validation=0.2", "split.test=0.2"],
    "leave_last_out": ["split.kind=leave_last_out"],
    "global_time": ["split.kind=global_time", "split.validation=0.2", "split.test=0.2"],
    "held_out_users": ["split.kind=held_out_users", "split.validation=0.3", "split.test=0.3"],
}


def last_times(data, tables):
    """The time of each (user, item) of the catalogue, by pandas."""
    frame = pd.concat([data.with_ids(table).to_pandas() for table in tables])
    frame = frame[frame["item_id"].isin(data.items.ids.to_pylist())]
    return frame.groupby(["user_id", "item_id"])["timestamp"].max().to_dict()


def cells_of(rows, items):
    users, items = rows.users.ids.to_pylist(), items.ids.to_pylist()
    assert (rows.times.indices == rows.interactions.indices).all()
    assert (rows.times.indptr == rows.interactions.indptr).all()
    return {
        (users[user], items[item]): rows.times[user, item]
        for user, item in zip(*rows.interactions.nonzero(), strict=True)
    }


@pytest.mark.parametrize("split", SPLITS)
def test_a_refit_has_the_training_and_the_validation_rows(tmp_path, split):
    data = prepared(tmp_path, ROWS, SPLITS[split], times=TIMES)
    parts = data.split
    trained = rows_to_fit(data)
    assert trained.users == data.users
    assert cells_of(trained, data.items) == last_times(data, [parts.train])
    both = rows_to_fit(data, with_validation=True)
    tables = [parts.train, parts.validation_history, parts.validation]
    assert cells_of(both, data.items) == last_times(data, tables)
    assert len(last_times(data, tables)) > len(last_times(data, [parts.train]))
    assert both.users.ids[: len(data.users)].equals(data.users.ids)


def test_a_log_without_times_is_fitted_again_without_them(tmp_path):
    data = prepared(tmp_path, ROWS, SPLITS["random"], times=[None] * len(ROWS))
    assert rows_to_fit(data, with_validation=True).times is None
