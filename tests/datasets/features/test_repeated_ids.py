"""Where that is set, the last row of an id that a table has more than once counts."""

import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.features import side_rows
from recsparse.datasets.id_types import are_last
from recsparse.errors import InputError
from recsparse.stages.prepare import prepare
from tests.prepared import contents, log_table

ROWS = [(user, item) for user in range(6) for item in range(5)]
SETTINGS = [
    "features.categories=['kind']", "features.numbers=['price']", "features.vectors=['shape']",
    "features.user_numbers=['price']", "split.validation=0.2", "split.test=0.2",
]  # fmt: skip
LAST = "features.duplicates=last"


def table(numbers, name="item_id", shift=0):
    """Return rows that all differ, whatever their ids are."""
    rows = range(shift, shift + len(numbers))
    return pd.DataFrame(
        {
            name: [*numbers],
            "title": [f"red w{row}" for row in rows],
            "kind": [f"k{row}" for row in rows],
            "price": [float(row) for row in rows],
            "shape": [[row + 1.0, 2.0] for row in rows],
        }
    )


def made(out, items, users=None, more=(LAST,), **sources):
    logs = sources.pop("logs", log_table(ROWS))
    config = load_config(None, [*SETTINGS, *more])
    given_tables = Sources(logs=logs, items=items, users=users, **sources)
    return prepare(given_tables, out, config=config, overwrite=True)


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=9))
def test_the_last_of_each_is_the_last_of_each(values):
    values = [value for value in values if value is not None]
    expected = [value not in values[place + 1 :] for place, value in enumerate(values)]
    for ids in (pa.array(values, pa.int64()), pa.array(map(str, values), pa.string())):
        assert are_last(ids).tolist() == expected


@settings(max_examples=5)
@given(
    st.lists(st.integers(0, 7), min_size=5, max_size=14).filter({*range(5)}.issubset),
    st.integers(1, 9),
)
def test_a_dataset_is_that_of_the_last_rows(tmp_path_factory, numbers, chunk):
    folder = tmp_path_factory.mktemp("last")
    items, users = table(numbers), table([*range(6), *numbers], "user_id").drop(columns="kind")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_rows, "_CHUNK_ROWS", chunk)
        data = made(folder / "all", items, users)
    kept = [each.drop_duplicates(name, keep="last")
            for each, name in ((items, "item_id"), (users, "user_id"))]  # fmt: skip
    made(folder / "kept", *kept)
    assert contents(folder / "all") == contents(folder / "kept")
    read = data.fitted_item_features.read
    (ids, groups), (expected, others) = read(items), read(kept[0])
    assert ids.equals(expected)
    for one, other in zip(groups, others, strict=True):
        values = [np.asarray(each.values.todense() if each.kind in ("words", "categories")
                             else each.values) for each in (one, other)]  # fmt: skip
        np.testing.assert_array_equal(*values)


def test_repeated_rows_are_said_and_an_error_unless_that_is_set(tmp_path, caplog):
    items = table([0, 1, 1, 2, 3, 4, 1])
    message = "frame given as items must occur once, but 1 repeat; the first is 1, in the rows 2 a"
    with pytest.raises(InputError, match=message):
        made(tmp_path / "dataset", items, more=())
    with caplog.at_level(logging.WARNING):
        data = made(tmp_path / "dataset", items)
    assert caplog.text.count("2 rows of the frame given as items are left out, since a later") == 1
    with pytest.raises(InputError, match=message.replace("items", "users")):
        made(tmp_path / "other", None, table([0, 1, 1], "user_id"), more=())
    fitted = data.fitted_item_features
    fitted.save(tmp_path, "item")
    assert type(fitted).load(tmp_path, "item").columns.duplicates == "last"


def test_repeated_rows_of_a_table_that_is_laid_over_another_count_likewise(tmp_path):
    made(tmp_path / "old", table(range(5)))
    later = table([4, 3, 4, 9, 9], shift=5)
    log = log_table([(7, 9), (8, 9), (7, 4)], range(900, 903))
    for name, items in (("all", later), ("kept", later.drop_duplicates("item_id", keep="last"))):
        made(tmp_path / name, items, append_to=tmp_path / "old", logs=log)
    assert contents(tmp_path / "all") == contents(tmp_path / "kept")
    made(tmp_path / "strict", table(range(5)), more=())
    with pytest.raises(InputError, match="but 2 repeat; the first is 4, in the rows 1 and 3; drop"):
        made(tmp_path / "x", later, append_to=tmp_path / "strict", logs=log, more=())
