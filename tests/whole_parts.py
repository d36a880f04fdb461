"""The lists of a whole part by ids, and the same by loops over the rows of a dataset."""

import pyarrow as pa

from recsparse.datasets.evaluated.whole_part import WholePart
from tests.prepared import prepared

KEEP = "log.duplicates=keep"


def given_parts(folder, rows, overrides=(KEEP,), **columns):
    """A dataset of rows of user, item, part and time."""
    user, item, part, time = zip(*rows, strict=True)
    pairs = [*zip(user, item, strict=True)]
    settings = ["split.kind=given", *overrides]
    return prepared(folder, pairs, settings, [*time], part=pa.array(part), **columns)


def cells(matrix, rows, columns):
    """The cells of a matrix by the names of its rows and columns, and what is in them."""
    coo = matrix.tocoo()
    return {
        (rows[row], columns[column]): value
        for row, column, value in zip(coo.row, coo.col, coo.data.tolist(), strict=True)
    }


def lists_of(part: WholePart):
    """The user, the history, the targets and the times of each list, in order."""
    users, items = part.user_ids.to_pylist(), part.items.ids.to_pylist()
    found = []
    for number, user in enumerate(part.lists.user):
        row = slice(number, number + 1)
        shared = part.lists.history, part.lists.targets, part.lists.times
        history, targets, times = (
            None
            if some is None
            else {item: v for (_, item), v in cells(some[row], [0], items).items()}
            for some in shared
        )
        found.append((users[user], history, targets, times))
    return found


def summed(rows, value="weight"):
    total = {}
    for row in rows:
        total[row["item_id"]] = total.get(row["item_id"], 0) + (row[value] if value else 1)
    return total


def last_times(rows):
    """The last time of each item; a row without a time is before all others."""
    times = {}
    for row in rows:
        time = -(2**63) if row["timestamp"] is None else row["timestamp"]
        times[row["item_id"]] = max(time, times.get(row["item_id"], time))
    return times


def lists_by_loops(data, name):
    """The user, the history and the targets of each list, as rows."""
    part, split = data.with_ids(getattr(data.split, name)).to_pylist(), data.split
    before = [split.train] if name == "validation" else [split.train, split.validation]
    drawn = getattr(split, f"{name}_history")
    before = [drawn] if drawn.num_rows else before
    before = [row for table in before for row in data.with_ids(table).to_pylist()]
    trained = {row["user_id"] for row in data.with_ids(split.train).to_pylist()}
    kind, found = data.config.split.kind, []
    for user in dict.fromkeys(row["user_id"] for row in part):
        mine = [row for row in part if row["user_id"] == user]
        earlier = [row for row in before if row["user_id"] == user]
        times = {row["timestamp"] for row in mine}
        if user in trained or None in times or kind == "held_out_users":
            found.append((user, earlier, mine))
            continue
        for now in sorted(times):
            known = [
                row for row in earlier + mine if row["timestamp"] is None or row["timestamp"] < now
            ]
            seen = {row["item_id"] for row in known}
            wanted = mine
            if now > min(times):
                wanted = [row for row in mine if row["timestamp"] >= now]
                wanted = [row for row in wanted if row["item_id"] not in seen]
            if wanted and (now == min(times) or not kind.startswith(("random", "held_out"))):
                found.append((user, known, wanted))
    return found
