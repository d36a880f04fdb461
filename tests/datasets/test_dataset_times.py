import numpy as np

from tests.prepared import prepared

LAST_OUT = ["split.kind=leave_last_out", "log.duplicates=keep"]


def last_times(rows, users, items):
    """Return the last time of each pair, by a loop."""
    found = {}
    for user, item, time in rows:
        found[user, item] = max(time, found.get((user, item), time))
    return [[found.get((user, item)) for item in items] for user in users]


def as_lists(times):
    """Return a matrix of times with None where there is no cell."""
    cells = set(zip(*times.nonzero(), strict=True)) | {
        (row, int(item))
        for row in range(times.shape[0])
        for item in times.indices[times.indptr[row] : times.indptr[row + 1]]
    }
    dense = times.toarray()
    return [
        [int(dense[row, item]) if (row, item) in cells else None for item in range(times.shape[1])]
        for row in range(times.shape[0])
    ]


def test_each_cell_has_the_time_of_its_last_row(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(int(user), int(item)) for user, item in rng.integers(0, 5, (60, 2))]
    times = rng.integers(0, 50, 60).tolist()
    data = prepared(tmp_path, rows, LAST_OUT, times)
    items, unseen = data.items.ids.to_pylist(), len(data.items)
    seen = {name: [] for name in ("train", "validation", "test")}
    for name, found in seen.items():
        table = data.with_ids(getattr(data.split, name))
        found += zip(*(table[key].to_pylist() for key in ("user_id", "item_id", "timestamp")))  # noqa: B905
    assert unseen == len(items)
    users = data.users.ids.to_pylist()
    assert as_lists(data.train_times()) == last_times(seen["train"], users, items)
    train, matrix = data.train_times(), data.train_matrix()
    assert (train.indptr == matrix.indptr).all()
    assert (train.indices == matrix.indices).all()
    part = data.evaluation_part("test")
    expected = last_times(seen["train"] + seen["validation"], part.user_ids.to_pylist(), items)
    assert as_lists(part.times) == expected
    assert (part.times.indices == part.history.indices).all()


def test_a_log_without_times_has_none(tmp_path):
    rows = [(user, item) for user in range(4) for item in range(8)]
    data = prepared(tmp_path, rows, ["split.kind=random"], [None] * len(rows))
    assert data.train_times() is None
    assert data.evaluation_part("test").times is None
