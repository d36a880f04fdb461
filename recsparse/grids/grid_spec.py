"""What a grid's axes and channels mean, and the statistics of training that they rest on."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.datasets.indexed_rows import ITEM_INDEX, USER_INDEX
from recsparse.datasets.schema import TIMESTAMP
from recsparse.errors import InputError

GridAxis = Literal["user", "item", "time", "position"]
GridFeature = Literal["weight", "rating", "recency", "count", "item_popularity", "user_activity"]

# Rows in memory at once while a file is counted.
CHUNK_ROWS = 1 << 20


@dataclass(frozen=True)
class GridSpec:
    """Which axes and channels the grids of blocks of users have.

    The axes:

    - `user`: the users of the block in their order. Where it is no axis, every user of the block
      is a sample of its own, as sequence models need it.
    - `item`: the items in their order.
    - `time`: buckets of `bucket_seconds` from the first to the last training time.
    - `position`: the place in the user's own history, time rising along the axis and the user's
      last row always at its end, as in the padded sequences of SASRec (Kang and McAuley 2018,
      https://arxiv.org/abs/1808.09781): so an axis of any length holds what was last, and the cell
      before the one to predict has the same coordinate for all users.

    The channels, of the rows that fall into one cell:

    - `weight`: their sum.
    - `rating`: the mean of the known ones, 0 where none is.
    - `recency`: days from the last of them to the last training row; a row of unknown time is as
      old as the first training row.
    - `count`: their number.
    - `item_popularity`: training rows of the item, 0 if it has none; of several items, the mean.
    - `user_activity`: training rows of the user, 0 if it has none.

    Attributes:
        axes: At least one; `user`, if it is there, comes first.
        features: The channels, at least one, in their order.
        bucket_seconds: Length of a step of the time axis.
        num_positions: Length of the position axis; of longer histories the last rows are kept.
        block_users: Users of a block.

    Raises:
        InputError: If an axis or a feature is missing, repeated, unknown or misplaced, or a size is
            below 1.
    """

    axes: tuple[GridAxis, ...] = ("user", "item")
    features: tuple[GridFeature, ...] = ("weight",)
    bucket_seconds: int = 86_400
    num_positions: int = 200
    block_users: int = 1024

    def __post_init__(self) -> None:
        _check_names("axes", self.axes, GridAxis)
        _check_names("features", self.features, GridFeature)
        if "user" in self.axes[1:]:
            raise InputError(f"the user axis must come first, but axes are {self.axes}")
        for name in ("bucket_seconds", "num_positions", "block_users"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, but is {getattr(self, name)}")

    @property
    def needs_times(self) -> bool:
        """Whether an axis or a channel is made of times."""
        return "time" in self.axes or "recency" in self.features


@dataclass(frozen=True, eq=False)
class GridStatistics:
    """What grids need to know of the training rows, whichever part they show.

    Attributes:
        item_popularity: int64, training rows of each item.
        user_activity: int64, training rows of each user.
        first_second: The first training time, seconds since 1970, UTC; None where none is known.
        last_second: The last training time.
    """

    item_popularity: np.ndarray
    user_activity: np.ndarray
    first_second: int | None
    last_second: int | None

    @classmethod
    def of(cls, train: pa.Table, num_users: int, num_items: int) -> "GridStatistics":
        """Count training rows in one pass, a chunk at a time.

        Args:
            train: Columns `user_index`, `item_index` and `timestamp`, in any order of rows.
            num_users: Training users.
            num_items: Training items.

        Returns:
            The statistics.

        Raises:
            InputError: If an index is not below the number of users or items.

        Example:
            >>> rows = {"user_index": [0, 0, 2], "item_index": [1, 1, 0], "timestamp": [7, None, 5]}
            >>> found = GridStatistics.of(pa.table(rows), num_users=3, num_items=2)
            >>> found.item_popularity.tolist(), found.user_activity.tolist()
            ([1, 2], [2, 0, 1])
            >>> found.first_second, found.last_second
            (5, 7)
        """
        users, items = np.zeros(num_users, np.int64), np.zeros(num_items, np.int64)
        times = []
        for batch in train.to_batches(max_chunksize=CHUNK_ROWS):
            users += _counted(batch, USER_INDEX, num_users)
            items += _counted(batch, ITEM_INDEX, num_items)
            span = pc.min_max(batch.column(TIMESTAMP)).as_py()
            times += [time for time in span.values() if time is not None]
        return cls(items, users, min(times, default=None), max(times, default=None))

    def axis_sizes(self, spec: GridSpec) -> tuple[int, ...]:
        """Return the spatial shape of every block: that of the last one, too, with fewer users.

        Args:
            spec: The axes.

        Returns:
            One size per axis.

        Raises:
            InputError: If the axes or channels are made of times, but no training time is known.
        """
        first, last = self.time_range() if spec.needs_times else (0, 0)
        sizes = {
            "user": spec.block_users,
            "item": len(self.item_popularity),
            "time": (last - first) // spec.bucket_seconds + 1,
            "position": spec.num_positions,
        }
        return tuple(sizes[axis] for axis in spec.axes)

    def time_range(self) -> tuple[int, int]:
        """Return the first and the last training time.

        Returns:
            Seconds since 1970, UTC.

        Raises:
            InputError: If no training time is known.
        """
        if self.first_second is None or self.last_second is None:
            raise InputError(
                "the time axis and recency need the time of some training row, but there is none; "
                "name the column by log.timestamp_column, or leave them out"
            )
        return self.first_second, self.last_second


def _check_names(what: str, names: tuple[str, ...], known: Any) -> None:
    allowed = get_args(known)
    if not names or len({*names}) < len(names) or not {*names} <= {*allowed}:
        raise InputError(
            f"{what} must be some of {', '.join(allowed)}, each at most once, but are {names}"
        )


def _counted(batch: pa.RecordBatch, column: str, size: int) -> np.ndarray:
    index = batch.column(column).to_numpy()
    if index.max(initial=-1) >= size:
        raise InputError(
            f"{column} of training rows must be below {size}, but row {index.argmax()} of a chunk "
            f"has {index.max()}; count the rows of the training part alone"
        )
    return np.bincount(index, minlength=size)
