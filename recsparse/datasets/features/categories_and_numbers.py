"""Features of users and items besides text: categories and numbers."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from recsparse.datasets.features.word_counts import Texts, count_words
from recsparse.errors import SchemaError


@dataclass(frozen=True, eq=False)
class CategoryFeatures:
    """Which categories each id is in.

    Attributes:
        names: `column=value`, in alphabetical order, those of training ids alone.
        cells: float32, ids × names, 1 where an id is in a category; training ids come first.
    """

    names: tuple[str, ...]
    cells: csr_matrix

    @classmethod
    def fit(cls, tokens: Texts, num_train: int, num_ids: int) -> "CategoryFeatures":
        """Collect the categories of training ids.

        Args:
            tokens: Chunks of ids, by number, and the `column=value` of each.
            num_train: The ids below this number are those to fit on.
            num_ids: Number of all ids.

        Returns:
            The features.
        """
        counts, names = count_words(tokens, num_ids, iter)
        kept = np.unique(counts[:num_train].indices)
        cells = counts[:, kept].astype(np.float32)
        cells.data[:] = 1.0  # a value that a list repeats counts once
        return cls(tuple(names[place] for place in kept), cells)

    def of(self, tokens: Texts, num_ids: int) -> "CategoryFeatures":
        """Return which of these categories other ids are in.

        Args:
            tokens: Chunks of ids, by number, and the `column=value` of each; of others than these
                categories nothing is kept.
            num_ids: Number of ids.

        Returns:
            Their features.
        """
        place = {name: number for number, name in enumerate(self.names)}
        row, column = array("q"), array("q")
        for numbers, lists in tokens:
            for number, names in zip(numbers.tolist(), lists, strict=True):
                known = [place[name] for name in names if name in place]
                row.extend([number] * len(known))
                column.extend(known)
        ones = np.ones(len(row), dtype=np.float32)
        shape = num_ids, len(self.names)
        cells = csr_matrix((ones, (np.array(row), np.array(column))), shape=shape)
        cells.data[:] = 1.0
        return replace(self, cells=cells)


def category_tokens(
    table: pa.Table, columns: Sequence[str], where: str = "the table"
) -> list[list[str]]:
    """Return the categories of each row as `column=value`.

    Args:
        table: Rows.
        columns: Columns of strings, integers or booleans, or of lists of them; null and blank text
            are no category.
        where: What to call the table in an error.

    Returns:
        One list per row.

    Raises:
        SchemaError: If a column holds something else.
    """
    rows: list[list[str]] = [[] for _ in range(table.num_rows)]
    for name in columns:
        column = table[name].combine_chunks()
        row = np.arange(len(column))
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            row = pc.list_parent_indices(column).to_numpy()
            column = pc.list_flatten(column)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if not _is_category(column.type):
            raise SchemaError(
                f"the column {name!r} of {where} must hold categories (strings, integers, "
                f"booleans, or lists of them), but holds {table[name].type}; "
                f"{_cure(table[name].type, 'numbers')}"
            )
        for place, value in zip(row.tolist(), column.cast(pa.string()).to_pylist(), strict=True):
            if value is not None and value.strip():
                rows[place].append(f"{name}={value}")
    return rows


def _is_category(kind: pa.DataType) -> bool:
    kinds = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_integer, pa.types.is_boolean, pa.types.is_null,
    )  # fmt: skip
    return any(each(kind) for each in kinds)


@dataclass(frozen=True, eq=False)
class NumberFeatures:
    """Numbers of each id, on a common scale.

    Attributes:
        names: The columns; then `column is missing` for those with missing values in training.
        mean: float64, the mean of each column over the training ids that have it.
        scale: float64, its standard deviation there; 1 where all are equal.
        values: float32, ids × names: (value − mean) / scale, 0 where missing; training ids first.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    values: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, columns: Sequence[str], num_train: int) -> "NumberFeatures":
        """Scale numbers by their mean and deviation over training ids.

        Args:
            values: float64, ids × columns, NaN where missing.
            columns: Names of the columns.
            num_train: The ids below this number are those to fit on.

        Returns:
            The features.
        """
        train = values[:num_train]
        known = ~np.isnan(train)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, train, 0.0).sum(axis=0) / count
        deviation = np.sqrt(np.where(known, (train - mean) ** 2, 0.0).sum(axis=0) / count)
        # The deviation of equal numbers is not 0 where their mean is rounded.
        lowest = np.where(known, train, np.inf).min(axis=0, initial=np.inf)
        highest = np.where(known, train, -np.inf).max(axis=0, initial=-np.inf)
        scale = np.where((highest > lowest) & (deviation > 0), deviation, 1.0)
        gaps = np.flatnonzero(~known.all(axis=0))
        names = (*columns, *(f"{columns[int(place)]} is missing" for place in gaps))
        return cls(names, mean, scale, np.empty((0, len(names)), dtype=np.float32)).of(values)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table."""
        return self.names[: len(self.mean)]

    def of(self, values: np.ndarray) -> "NumberFeatures":
        """Return other numbers on this scale.

        Args:
            values: float64, ids × columns, NaN where missing.

        Returns:
            Their features.
        """
        scaled = np.where(np.isnan(values), 0.0, (values - self.mean) / self.scale)
        marks = self.names[len(self.mean) :]
        gaps = [self.columns.index(name.removesuffix(" is missing")) for name in marks]
        missing = np.isnan(values[:, gaps])
        return replace(self, values=np.hstack([scaled, missing]).astype(np.float32))


def numbers_of(table: pa.Table, columns: Sequence[str], where: str = "the table") -> np.ndarray:
    """Return columns of numbers.

    Args:
        table: Rows.
        columns: Columns of integers, floating-point numbers, decimals or booleans.
        where: What to call the table in an error.

    Returns:
        float64, rows × columns, NaN where null, or no finite number of single precision.

    Raises:
        SchemaError: If a column holds something else.
    """
    result = np.full((table.num_rows, len(columns)), np.nan)
    for place, name in enumerate(columns):
        kind = table[name].type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        kinds = (
            pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean,
            pa.types.is_null,
        )  # fmt: skip
        if not any(each(kind) for each in kinds):
            raise SchemaError(
                f"the column {name!r} of {where} must hold numbers, but holds {kind}; "
                f"{_cure(kind, 'categories')}"
            )
        column = table[name].cast(kind).cast(pa.float64(), safe=False).to_numpy()
        result[:, place] = np.where(np.abs(column) <= np.finfo(np.float32).max, column, np.nan)
    return result


def _cure(kind: pa.DataType, others: str) -> str:
    kinds = pa.types
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        if kinds.is_integer(kind.value_type) or kinds.is_floating(kind.value_type):
            return "name it among the vectors, or cast it"
        if _is_category(kind.value_type) and others == "categories":
            return "name it among the categories"
    if kinds.is_nested(kind):
        return "take it apart into columns that hold one value in each row, or lists of strings"
    fits = _is_category(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)
    return f"name it among the {others}, or cast it" if fits else "cast it"
