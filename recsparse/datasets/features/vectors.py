"""Vectors of users and items that were made elsewhere, such as embeddings of text or images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.datasets.schema import is_list
from recsparse.errors import InputError, SchemaError


@dataclass(frozen=True, eq=False)
class VectorFeatures:
    """One vector per id and column, on a common scale.

    Attributes:
        names: The columns.
        sizes: Length of the vectors of each column.
        scale: float64, by which each column was divided: the root of the mean squared length of
            the vectors of training ids.
        values: float32, ids × all sizes, 0 where an id has no vector; training ids come first.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    scale: np.ndarray
    values: np.ndarray

    @classmethod
    def fit(cls, columns: dict[str, np.ndarray], num_train: int) -> "VectorFeatures":
        """Scale the vectors of each column, so that those of training ids have length 1 on average.

        Args:
            columns: float32, ids × size each, 0 where an id has no vector. They are scaled in
                place.
            num_train: The ids below this number are those to fit on.

        Returns:
            The features.
        """
        scales = []
        for values in columns.values():
            squares = np.einsum("ij,ij->i", values[:num_train], values[:num_train], dtype=float)
            there = squares > 0
            scale = float(np.sqrt(squares[there].mean())) if there.any() else 1.0
            scales.append(scale)
        sizes = tuple(values.shape[1] for values in columns.values())
        nothing = np.empty((0, sum(sizes)), dtype=np.float32)
        return cls(tuple(columns), sizes, np.array(scales), nothing).of(columns)

    def of(self, columns: dict[str, np.ndarray]) -> "VectorFeatures":
        """Return other vectors on this scale.

        Args:
            columns: float32, ids × size each, 0 where an id has no vector. They are scaled in
                place.

        Returns:
            Their features.
        """
        for name, scale in zip(self.names, self.scale, strict=True):
            columns[name] /= np.float32(scale)
        return replace(self, values=np.hstack([columns[name] for name in self.names]))


def require_vectors(schema: pa.Schema, columns: Sequence[str], where: str) -> None:
    """Raise an error unless columns can hold vectors.

    Args:
        schema: Of the table.
        columns: Their names.
        where: What to call the table in the error.

    Raises:
        SchemaError: If one holds no lists of numbers.
    """
    for name in columns:
        kind = schema.field(name).type
        is_vector = is_list(kind) or pa.types.is_fixed_size_list(kind)
        inner = kind.value_type if is_vector else kind
        kinds = (pa.types.is_floating, pa.types.is_integer, pa.types.is_null)
        is_number = any(each(inner) for each in kinds)
        if not (is_number and (is_vector or pa.types.is_null(kind))):
            raise SchemaError(
                f"the column {name!r} of {where} must hold vectors, lists of numbers of one length "
                f"(or null), but holds {kind}; cast it, or name another column"
            )


def vectors_of(
    table: pa.Table,
    name: str,
    size: int | None,
    ids: str,
    where: str,
    whose: str = "the first",
) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of some rows.

    Args:
        table: Some rows.
        name: The column of vectors; null is none.
        size: Their length; None for that of the first.
        ids: The column that names a row in an error.
        where: What to call the table in an error.
        whose: Which vectors that length is of, in an error.

    Returns:
        The rows that have a vector, and one float32 vector for each.

    Raises:
        InputError: If vectors differ in length, or hold a null, NaN, or a number that single
            precision does not.
    """
    column = table[name].combine_chunks()
    row = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    # A fixed-size list keeps elements for its nulls, too.
    column = column.drop_null()
    if not len(row):
        return row, np.empty((0, size or 0), dtype=np.float32)
    lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
    size = int(lengths[0]) if size is None else size
    differ = np.flatnonzero((lengths != size) | (lengths == 0))
    if len(differ):
        must = f"one length, that of {whose}, {size}" if size else "at least one number"
        raise InputError(
            _bad(name, must, f"{lengths[differ[0]]}", table[ids][int(row[differ[0]])], where)
        )
    flat = pc.list_flatten(column).cast(pa.float32(), safe=False)
    values = flat.to_numpy(zero_copy_only=False).reshape(len(row), size)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        place = int(np.argmin(finite))
        found = repr(values[place][~np.isfinite(values[place])][0].item())
        must = "finite numbers of single precision"
        raise InputError(_bad(name, must, found, table[ids][int(row[place])], where))
    return row, values


def _bad(name: str, must: str, found: str, ids: pa.Scalar, where: str) -> str:
    return (
        f"the vectors in the column {name!r} must have {must}, but that of {ids.as_py()!r} in "
        f"{where} has {found}; mend it, or make it null for an id without a vector"
    )
