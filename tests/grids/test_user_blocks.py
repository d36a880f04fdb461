from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.indexed_rows import INDEXED_SCHEMA, RowsWriter, open_indexed
from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.errors import InputError
from recsparse.grids.grid_spec import GridSpec, GridStatistics
from recsparse.grids.user_blocks import grid_blocks

NUM_USERS, NUM_ITEMS = 4, 5
FEATURES = ("weight", "rating", "recency", "count", "item_popularity", "user_activity")
AXES = [
    axes
    for size in range(1, 5)
    for axes in combinations(("user", "item", "time", "position"), size)
] + [("position", "item"), ("user", "time", "item")]

# Indices past the training users and items are unseen ones.
rows = st.tuples(
    st.integers(0, NUM_USERS + 1),
    st.integers(0, NUM_ITEMS + 1),
    st.integers(1, 8),
    st.none() | st.integers(100, 140),
    st.none() | st.integers(1, 5),
)


def table_of(some, chunk=1000):
    ordered = sorted(some, key=lambda row: (row[0], -1 if row[3] is None else row[3], row[1]))
    columns = [list(column) for column in zip(*ordered, strict=True)] or [[]] * 5
    table = pa.table(dict(zip(INDEXED_SCHEMA.names, columns, strict=True)), schema=INDEXED_SCHEMA)
    return pa.Table.from_batches(table.to_batches(max_chunksize=chunk), schema=INDEXED_SCHEMA)


def training_part(table):
    frame = table.to_pandas()
    known = (frame.user_index < NUM_USERS) & (frame.item_index < NUM_ITEMS)
    return table.filter(pa.array(known.to_numpy()))


def expected_cells(table, train, spec, item_order):
    """Group the whole table by pandas: one row per cell, the user in place of its place."""
    frame, trained = table.to_pandas(), train.to_pandas()
    times = trained.timestamp.dropna()
    first, last = times.min(), times.max()
    frame["item"] = frame.item_index
    if "item" in spec.axes:
        frame = frame[frame.item_index < NUM_ITEMS]
        frame["item"] = [item_order.rank[item] for item in frame.item_index]
    if "time" in spec.axes:
        frame = frame[frame.timestamp.between(first, last)]
        frame["time"] = (frame.timestamp - first) // spec.bucket_seconds
    if "position" in spec.axes:
        frame["position"] = (
            spec.num_positions - 1 - frame.groupby("user_index").cumcount(ascending=False)
        )
        frame = frame[frame.position >= 0]
    frame["recency"] = (last - frame.timestamp.fillna(first)) / 86400
    frame["item_popularity"] = frame.item_index.map(trained.item_index.value_counts()).fillna(0)
    frame["user_activity"] = frame.user_index.map(trained.user_index.value_counts()).fillna(0)
    cells = frame.groupby(["user_index", *(axis for axis in spec.axes if axis != "user")]).agg(
        weight=("weight", "sum"),
        rating=("rating", "mean"),
        recency=("recency", "min"),
        count=("weight", "size"),
        item_popularity=("item_popularity", "mean"),
        user_activity=("user_activity", "first"),
    )
    return cells.fillna(0).sort_index()[list(spec.features)]


def found_cells(blocks, spec):
    """Put all blocks together, the user in place of its place."""
    names = ["user_index", *(axis for axis in spec.axes if axis != "user")]
    pieces = []
    for block in blocks:
        coords = block.tensor.coords.numpy()
        if "user" in spec.axes:
            assert block.tensor.batch_size == 1
            assert not coords[:, 0].any()
            coords = coords[:, 1:]
        else:
            assert block.tensor.batch_size == len(block.users)
        keys = pd.DataFrame(coords, columns=names)
        keys["user_index"] = block.users[coords[:, 0]]
        feats = pd.DataFrame(block.tensor.feats.numpy(), columns=list(spec.features))
        pieces.append(pd.concat([keys, feats], axis=1))
    return pd.concat(pieces).set_index(names).sort_index()


@pytest.mark.parametrize("axes", AXES, ids="-".join)
@given(
    some=st.lists(rows, max_size=25),
    block_users=st.integers(1, 7),
    chunk=st.integers(1, 9),
    seed=st.none() | st.integers(0, 9),
)
def test_all_blocks_together_are_the_table_grouped_by_pandas(axes, some, block_users, chunk, seed):
    table = table_of(some, chunk)
    train = training_part(table)
    spec = GridSpec(axes, FEATURES, bucket_seconds=9, num_positions=3, block_users=block_users)
    statistics = GridStatistics.of(train, NUM_USERS, NUM_ITEMS)
    rng = np.random.default_rng(0)
    user_order = AxisOrder(rng.permutation(NUM_USERS))
    item_order = AxisOrder(rng.permutation(NUM_ITEMS))
    if statistics.first_second is None:
        with pytest.raises(InputError, match="need the time of some training row"):
            grid_blocks(table, spec, statistics, user_order, item_order)
        return
    blocks = list(grid_blocks(table, spec, statistics, user_order, item_order, seed))
    expected = expected_cells(table, train, spec, item_order)
    pd.testing.assert_frame_equal(
        found_cells(blocks, spec), expected.astype(np.float32), check_index_type=False
    )
    kept = expected["count"].sum()
    assert sum(block.left_out for block in blocks) == table.num_rows - kept
    for block in blocks:
        assert block.tensor.spatial_shape == statistics.axis_sizes(spec)
        # A grid demands cells that are sorted and without repetition.
        cells = [tuple(cell) for cell in block.tensor.coords.tolist()]
        assert cells == sorted({*cells})


def small_table():
    return table_of(
        [
            (0, 2, 1, 100, 4),
            (0, 0, 2, 110, None),
            (2, 1, 3, 120, 2),
            (3, 1, 5, 130, 3),
            (5, 0, 7, 125, 1),
        ]
    )


def statistics_of(table):
    return GridStatistics.of(training_part(table), NUM_USERS, NUM_ITEMS)


def blocks_of(table, spec=None, **settings):
    return list(
        grid_blocks(table, spec or GridSpec(block_users=2), statistics_of(table), **settings)
    )


def test_blocks_hold_neighbours_in_the_order_and_unseen_users_at_the_end():
    order = AxisOrder(np.array([2, 0, 3, 1]))
    blocks = blocks_of(small_table(), user_order=order)
    assert [block.users.tolist() for block in blocks] == [[1, 3], [0, 2], [4, 5]]
    assert blocks[1].tensor.coords.tolist() == [[0, 0, 0], [0, 0, 2], [0, 1, 1]]
    assert blocks[1].tensor.feats.tolist() == [[2.0], [1.0], [3.0]]


def test_the_last_block_has_the_same_shape_with_fewer_users():
    last = blocks_of(small_table(), GridSpec(block_users=4))[-1]
    assert last.users.tolist() == [4, 5]
    assert last.tensor.spatial_shape == (4, NUM_ITEMS)
    samples = blocks_of(small_table(), GridSpec(axes=("item",), block_users=4))[-1]
    assert samples.tensor.batch_size == 2
    assert samples.tensor.coords.tolist() == [[1, 0]]


def test_a_seed_shuffles_the_blocks_and_nothing_else():
    table = table_of([(user, 0, 1 + user, 100, None) for user in range(4)])
    spec = GridSpec(block_users=1)
    plain, first, again, other = (blocks_of(table, spec, seed=seed) for seed in (None, 0, 0, 1))
    users = [[int(block.users[0]) for block in blocks] for blocks in (plain, first, again, other)]
    assert users[0] == [0, 1, 2, 3]
    assert users[1] == users[2] != users[3]
    assert sorted(users[1]) == sorted(users[3]) == [0, 1, 2, 3]
    for block in first:
        assert block.tensor.feats.tolist() == [[1.0 + block.users[0]]]


def test_the_last_row_of_every_user_is_at_the_end_of_the_position_axis():
    table = table_of([(0, item, 1, 100 + item, None) for item in range(5)] + [(1, 3, 1, 90, None)])
    spec = GridSpec(axes=("position", "item"), num_positions=3, block_users=2)
    (block,) = [block for block in blocks_of(table, spec) if 0 in block.users]
    assert block.tensor.coords.tolist() == [[0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 2, 3]]
    assert block.left_out == 2


def test_the_time_axis_starts_at_the_first_training_time_and_ends_at_the_last():
    train = table_of([(0, 0, 1, 100, None), (1, 0, 1, 119, None)])
    later = table_of([(0, 0, 1, time, None) for time in (99, 100, 109, 110, 119, 120, None)])
    spec = GridSpec(axes=("user", "time"), bucket_seconds=10, block_users=4)
    statistics = GridStatistics.of(train, NUM_USERS, NUM_ITEMS)
    (block,) = grid_blocks(later, spec, statistics)
    assert block.tensor.spatial_shape == (4, 2)
    assert block.tensor.coords.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert block.left_out == 3


def test_a_mapped_file_of_many_batches_gives_the_grid_of_its_matrix(tmp_path):
    table = table_of([(u, (u * i) % 5, 1 + i, 100, None) for u in range(4) for i in range(6)])
    with RowsWriter(tmp_path / "train.arrow", INDEXED_SCHEMA) as writer:
        for batch in table.to_batches(max_chunksize=5):
            writer.write(batch)
    mapped = open_indexed(tmp_path / "train.arrow")
    frame = table.to_pandas().groupby(["user_index", "item_index"]).weight.sum()
    matrix = frame.unstack(fill_value=0).reindex(range(NUM_USERS), columns=range(NUM_ITEMS))
    dense = matrix.fillna(0).to_numpy(np.float32)
    (block,) = blocks_of(mapped, GridSpec(block_users=4))
    assert block.tensor.to_dense().tolist() == [[dense.tolist()]]


def test_the_whole_of_movielens_is_the_grid_of_its_matrix(real_data):
    frame = pd.read_parquet(real_data / "movielens-100k" / "interactions.parquet")
    user, item = (frame[name].factorize(sort=True)[0] for name in ("user_id", "item_id"))
    frame = frame.assign(user_index=user, item_index=item, weight=1.0)
    frame = frame.sort_values(["user_index", "timestamp", "item_index"])
    table = pa.Table.from_pandas(frame[INDEXED_SCHEMA.names], INDEXED_SCHEMA, preserve_index=False)
    statistics = GridStatistics.of(table, 943, 1682)
    rng = np.random.default_rng(0)
    orders = AxisOrder(rng.permutation(943)), AxisOrder(rng.permutation(1682))
    matrix = frame.pivot_table("weight", "user_index", "item_index", fill_value=0).to_numpy()
    whole = matrix[orders[0].index][:, orders[1].index]
    for number, block in enumerate(
        grid_blocks(table, GridSpec(block_users=256), statistics, *orders)
    ):
        part = whole[256 * number : 256 * (number + 1)]
        assert np.array_equal(block.tensor.to_dense()[0, 0, : len(part)], part)
    assert number == 3


def test_feats_are_float32_even_where_there_is_no_row():
    (block,) = blocks_of(table_of([]), GridSpec(features=("weight", "count"), block_users=4))
    assert block.tensor.feats.shape == (0, 2)
    assert block.tensor.feats.dtype == torch.float32
    assert block.users.tolist() == [0, 1, 2, 3]


def test_no_users_at_all_give_no_block():
    statistics = GridStatistics(np.zeros(3, np.int64), np.zeros(0, np.int64), None, None)
    assert list(grid_blocks(table_of([]), GridSpec(), statistics)) == []


def test_an_order_of_another_length_is_refused():
    with pytest.raises(InputError, match="user_order must have one rank for each of 4, but has 3"):
        blocks_of(small_table(), user_order=AxisOrder.identity(3))
    with pytest.raises(InputError, match="item_order must have one rank for each of 5, but has 6"):
        blocks_of(small_table(), item_order=AxisOrder.identity(6))


def test_a_missing_column_is_named():
    table = small_table()
    with pytest.raises(
        InputError, match=r"rows must have the columns .* but have no weight, rating"
    ):
        grid_blocks(table.drop_columns(["weight", "rating"]), GridSpec(), statistics_of(table))


def test_rows_that_are_not_sorted_by_user_are_refused_with_the_first_of_them():
    table = small_table()
    unsorted = pa.concat_tables([table, table.slice(2, 1)])
    with pytest.raises(InputError, match="row 5 has a lower one than the row before; mend it by"):
        grid_blocks(unsorted, GridSpec(), statistics_of(table))


def test_a_grid_with_too_many_cells_to_count_is_refused_at_once():
    table = table_of([(0, 0, 1, 0, None), (0, 0, 1, 10**12, None)])
    spec = GridSpec(("user", "item", "time", "position"), bucket_seconds=1, num_positions=10**6)
    with pytest.raises(InputError, match="must fit 63 bits"):
        grid_blocks(table, spec, statistics_of(table))
