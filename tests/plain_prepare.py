"""What `prepare` does, by pandas and Python integers; it shares no code with it."""

import hashlib
from dataclasses import dataclass

import pandas as pd

PARTS = ("train", "validation", "test", "validation_history", "test_history")
ORDER = ["user", "time", "item", "rating", "weight"]
DAY = 86_400


@dataclass
class Plain:
    """A dataset: ids, and the rows of each part as (user, item, weight, time, rating)."""

    users: list
    items: list
    unseen_users: list
    unseen_items: list
    parts: dict[str, list[tuple]]
    duplicates: int
    outside_core: int


def plain_prepare(frame, config, keep=((), ())):
    """Return the dataset of a frame with the columns of `ORDER` (and `part`), None if too short."""
    is_window = config.split.kind == "time_window"
    if is_window:
        frame = in_window(frame, config.split)
    frame = frame.sort_values(ORDER, na_position="first", kind="stable", ignore_index=True)
    single = without_duplicates(frame, config.log.duplicates, config.log.half_life_days)
    repeated = len(frame) - len(frame.drop_duplicates(pair_of(frame)))
    if is_window:
        repeated += len(single) - len(single := of_first_part(single))
    tested = single[single["part"] == "test"] if is_window else single[:0]
    core = core_of(single.drop(tested.index), config.log.min_user_rows, config.log.min_item_rows)
    core = pd.concat([core, tested]).sort_index()
    if core["user"].nunique() < 2 or core["item"].nunique() < 2:
        return None
    assigned = SPLITS[config.split.kind](core, config.split, config.seed)
    parts = {name: core[assigned == name] for name in PARTS}
    if any(parts[name].empty for name in PARTS[:3]):
        return None
    users, items, unseen_users, unseen_items = [], [], [], []
    for column, kept, known, unseen in (
        ("user", keep[0], users, unseen_users), ("item", keep[1], items, unseen_items),
    ):  # fmt: skip
        trained = set(parts["train"][column]) - set(kept)
        known += [*kept, *sorted(trained)]
        unseen += sorted(set(core[column]) - set(known))
    rows = {name: [*part[ORDER_OF_COLUMNS].itertuples(index=False)] for name, part in parts.items()}
    lists = {name: [tuple(map(plain, row)) for row in some] for name, some in rows.items()}
    outside = len(single) - len(core)
    return Plain(users, items, unseen_users, unseen_items, lists, repeated, outside)


ORDER_OF_COLUMNS = ["user", "item", "weight", "time", "rating"]


def plain(value):
    return None if pd.isna(value) else value


def pair_of(frame):
    return ["user", "item", "part"] if "part" in frame else ["user", "item"]


def without_duplicates(frame, keep, half_life_days):
    if keep == "keep":
        return frame
    grouped = frame.groupby(pair_of(frame), sort=False)
    last = ~frame.duplicated(pair_of(frame), keep="last")
    if keep == "sum":
        weight = frame["weight"]
        if half_life_days is not None:
            age = (grouped["time"].transform("max") - frame["time"]).fillna(0) / DAY
            weight = weight * 0.5 ** (age.astype(float) / half_life_days)
        total = weight.groupby([frame[name] for name in pair_of(frame)]).transform("sum")
        frame = frame.assign(weight=total)
    return frame[last]


def core_of(frame, least_user, least_item):
    while True:
        rows_of_user = frame.groupby("user")["item"].transform("size")
        rows_of_item = frame.groupby("item")["user"].transform("size")
        kept = frame[(rows_of_user >= least_user) & (rows_of_item >= least_item)]
        if len(kept) == len(frame):
            return kept
        frame = kept


def mix(number):
    """The finaliser of SplitMix64."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def key(value, seed, axis):
    """A random number of an id."""
    digest = hashlib.md5(str(value).encode(), usedforsecurity=False).digest()
    return mix(int.from_bytes(digest[8:], "little") ^ mix(seed + 1 + axis))


def row_key(user, item, seed):
    return mix(key(user, seed, 0) ^ key(item, seed, 1)) >> 42


def shuffled(some, seed):
    """Return the places of a user's rows in random order."""
    keys = [row_key(u, i, seed) for u, i in zip(some["user"], some["item"], strict=True)]
    return [some.index[place] for place in sorted(range(len(some)), key=lambda at: keys[at])]


def by_random(frame, config, seed):
    assigned = pd.Series("train", frame.index)
    for user, some in frame.groupby("user"):
        if len(some) < config.min_rows:
            continue
        places = shuffled(some, seed)
        if config.folds is None:
            num_test = round(len(some) * config.test)
            test, others = places[:num_test], places[num_test:]
        else:
            turn = key(user, seed, 0) % config.folds
            fold = [(at + turn) % config.folds for at in range(len(places))]
            test = [place for place, of in zip(places, fold, strict=True) if of == config.fold]
            others = [place for place in places if place not in test]
        assigned[test] = "test"
        assigned[others[: round(len(some) * config.validation)]] = "validation"
    return assigned


def by_last(frame, config, _):
    assigned = pd.Series("train", frame.index)
    for _, some in frame.groupby("user"):
        if len(some) >= max(config.min_rows, 2 * config.last + 1):
            assigned[some.index[-config.last :]] = "test"
            assigned[some.index[-2 * config.last : -config.last]] = "validation"
    return assigned


def by_time(frame, config, _):
    times, size = frame["time"], len(frame)
    num_test = round(size * config.test)
    starts = [
        max(time for time in times if (times >= time).sum() >= max(least, 1))
        for least in (num_test, num_test + round(size * config.validation))
    ]
    if config.test_from is not None:
        starts = [pd.Timestamp(at, tz="UTC").timestamp() for at in
                  (config.test_from, config.validation_from)]  # fmt: skip
    assigned = pd.Series("train", frame.index)
    assigned[times >= starts[1]] = "validation"
    assigned[times >= starts[0]] = "test"
    return assigned


def in_window(frame, config):
    """Say the part of each row by its time, and leave out those outside."""

    def between(start, end):
        start, end = (pd.Timestamp(at, tz="UTC").timestamp() for at in (start, end))
        return (frame["time"] >= start) & (frame["time"] < end)

    frame = frame.assign(part="outside")
    frame.loc[between(config.train_from, config.validation_from), "part"] = "train"
    frame.loc[between(config.validation_from, config.known_until), "part"] = "validation"
    frame.loc[between(config.test_from, config.test_until), "part"] = "test"
    return frame[frame["part"] != "outside"]


def of_first_part(frame):
    number = frame["part"].map({"train": 0, "validation": 1, "test": 2})
    return frame[number == number.groupby([frame["user"], frame["item"]]).transform("min")]


def by_user(frame, config, seed):
    assigned = pd.Series("train", frame.index)
    sizes = frame.groupby("user").size()
    users = sorted(sizes.index[sizes >= config.min_rows], key=lambda user: key(user, seed, 0))
    if config.folds is None:
        first, last = 0, round(len(users) * config.test)
    else:
        first, last = (len(users) * at // config.folds for at in (config.fold, config.fold + 1))
    others = [*users[last:], *users[:first]]
    roles = dict.fromkeys(users[first:last], "test")
    roles |= dict.fromkeys(others[: round(len(users) * config.validation)], "validation")
    for user, role in roles.items():
        places = shuffled(frame[frame["user"] == user], seed)
        seen = min(max(round(len(places) * config.fold_in), 1), len(places) - 1)
        assigned[places[:seen]] = f"{role}_history"
        assigned[places[seen:]] = role
    return assigned


def by_item(frame, config, seed):
    assigned = pd.Series("train", frame.index)
    items = sorted(set(frame["item"]), key=lambda item: key(item, seed, 1))
    num_test, num_validation = (round(len(items) * s) for s in (config.test, config.validation))
    test, validation = items[:num_test], items[num_test : num_test + num_validation]
    assigned[frame["item"].isin(test)] = "test"
    assigned[frame["item"].isin(validation)] = "validation"
    for _, some in frame[assigned == "train"].groupby("user"):
        size = round(len(some) * config.known_targets)
        if len(some) >= config.min_rows and size:
            places = shuffled(some, seed)
            assigned[places[:size]] = "test"
            assigned[places[size : 2 * size]] = "validation"
    return assigned


def as_given(frame, config, seed):
    assigned = frame["part"].copy()
    if (assigned == "validation").any():
        return assigned
    for _, some in frame[assigned == "train"].groupby("user"):
        if len(some) >= config.min_rows:
            assigned[shuffled(some, seed)[: round(len(some) * config.validation)]] = "validation"
    return assigned


SPLITS = {
    "random": by_random, "leave_last_out": by_last, "global_time": by_time,
    "time_window": lambda frame, *_: frame["part"],
    "held_out_users": by_user, "held_out_items": by_item, "given": as_given,
}  # fmt: skip
