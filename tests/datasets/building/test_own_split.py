from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.building.splits.split import Split
from recsparse.datasets.evaluated.whole_part import whole_part
from recsparse.datasets.parts import TEST, TEST_HISTORY, TRAIN, VALIDATION
from recsparse.stages.prepare import prepare
from tests.parted import parts


class EverySecond(Split):
    """Of each user's rows, every second one for test."""

    def assign(self, rows, keys, work):
        return lambda block: np.where(np.arange(len(block)) % 2 == 1, TEST, TRAIN)


class Wrong(EverySecond):
    def assign(self, rows, keys, work):
        return lambda block: np.full(len(block), 9)


class AsTheLogSays(Split):
    """What the log says, but validation and test the other way round."""

    parts_in_log = True
    spares_short_users = False

    def assign(self, rows, keys, work):
        swapped = np.array([TRAIN, TEST, VALIDATION])
        return lambda block: swapped[np.asarray(block.part)]


SAID = [
    (user, item, name)
    for user in range(4)
    for item, name in enumerate(["train", "train", "validation", "test", "test"])
]


@pytest.mark.parametrize("said", ["in a column", "by files", "by files, of an appended dataset"])
def test_a_split_of_one_s_own_is_told_what_the_log_says(tmp_path, said):
    config = load_config(overrides=[f"split.kind={__name__}:AsTheLogSays", "split.column=said"])
    table = pa.table([*zip(*SAID, strict=True)], names=["user_id", "item_id", "said"])
    sources = Sources(table, append_to=None)
    if said != "in a column":
        by_part = {
            name: table.filter(pc.equal(table["said"], name)).drop_columns("said")
            for name in ("train", "validation", "test")
        }
        sources = Sources(by_part["train"], by_part["validation"], by_part["test"])
    data = prepare(sources, tmp_path / "data", config=config)
    if "appended" in said:
        more = pa.table({"user_id": [9], "item_id": [0]})
        sources = Sources(more, validation=by_part["validation"][:0], append_to=tmp_path / "data")
        sources = replace(sources, test=pa.table({"user_id": [9], "item_id": [1]}))
        data = prepare(sources, tmp_path / "more")
        assert data.split.validation.num_rows == 9
        return
    assert data.config.split.kind.endswith(":AsTheLogSays")
    assert (data.split.validation.num_rows, data.split.test.num_rows) == (8, 4)


def test_files_of_parts_are_taken_at_their_word_by_every_other_split(tmp_path):
    config = load_config(overrides=[f"split.kind={__name__}:EverySecond"])
    table = pa.table({"user_id": [0, 0, 1, 1], "item_id": [0, 1, 0, 1]})
    one, other = (pa.table({"user_id": [0], "item_id": [item]}) for item in (2, 3))
    data = prepare(Sources(table, one, other), tmp_path / "data", config=config)
    assert data.config.split.kind == "given"


class HalfShown(Split):
    """Of the last users the first half of their rows is shown, the second is for the test."""

    def assign(self, rows, keys, work):
        def parts(block):
            place = np.arange(len(block)) - np.searchsorted(block.user, block.user)
            first, second = (
                np.where(place % 2, VALIDATION, TRAIN),
                np.where(place < 2, TEST_HISTORY, TEST),
            )
            return np.where(np.asarray(block.user) < 3, first, second)

        return parts


def test_users_of_whom_a_split_of_one_s_own_shows_rows_have_one_list_each(tmp_path):
    rows = {"user_id": [n // 4 for n in range(24)], "item_id": [n % 4 for n in range(24)]}
    log = pa.table(rows | {"timestamp": range(24)})
    settings = [f"split.kind={__name__}:HalfShown", "split.own_looks_ahead=true"]
    data = prepare(log, tmp_path / "data", config=load_config(overrides=settings))
    lists = whole_part(data, "test").lists
    assert lists.targets.num_cells().tolist() == [2, 2, 2]
    assert lists.history.num_cells().tolist() == [2, 2, 2]


def test_a_split_of_one_s_own_parts_the_rows_of_users_that_are_long_enough(work):
    found = parts(work, [0, 0, 0, 0, 1, 1], kind=f"{__name__}:EverySecond", min_rows=3)
    assert (found["test"], found["train"]) == ([1, 3], [0, 2, 4, 5])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (f"{__name__}:Wrong", r"must return one of \[0, 1, 2, 3, 4\] for each of 3 rows"),
        ("os:system", "must name a class of splits, but os:system is"),
        ("a-stranger:Split", "must be one of random, .*, or module:Class of your own"),
        ("stranger:Split", "a module that this process was not told of; .*PLUGINS=stranger"),
    ],
)
def test_what_is_no_split_is_refused(work, kind, message):
    with pytest.raises(ValueError, match=message):
        parts(work, [0, 0, 0], kind=kind)
