"""Files of the features of one axis within a dataset folder."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.datasets.features.categories_and_numbers import CategoryFeatures, NumberFeatures
from recsparse.datasets.features.side_table import SideFeatures
from recsparse.datasets.features.vectors import VectorFeatures
from recsparse.datasets.reading.tables import read_table
from recsparse.errors import InputError


def save_side(side: SideFeatures, folder: Path, prefix: str) -> None:
    """Write features.

    Args:
        side: Features of one axis.
        folder: The dataset folder.
        prefix: What the names of the files begin with, such as `item`.
    """
    if side.words is not None and side.bags is not None:
        side.words.save(folder / f"{prefix}_words.parquet")
        _save_cells(side.bags, folder / f"{prefix}_bags.parquet")
    if side.categories is not None:
        names = pa.table({"name": pa.array(side.categories.names, pa.string())})
        pq.write_table(names, folder / f"{prefix}_categories.parquet", compression="zstd")
        _save_cells(side.categories.cells, folder / f"{prefix}_category_cells.parquet")
    if side.numbers is not None:
        numbers = side.numbers
        columns = dict(zip(numbers.names, numbers.values.T, strict=True))
        pq.write_table(pa.table(columns), folder / f"{prefix}_numbers.parquet", compression="zstd")
        scales = {"mean": numbers.mean, "scale": numbers.scale}
        pq.write_table(pa.table(scales), folder / f"{prefix}_number_scales.parquet")
    if side.vectors is not None:
        _save_vectors(side.vectors, folder / f"{prefix}_vectors.parquet")


def load_side(folder: Path, prefix: str, num_ids: int) -> SideFeatures:
    """Read what `save_side` wrote; without such files there are no features.

    Args:
        folder: The dataset folder.
        prefix: What the names of the files begin with.
        num_ids: Number of ids of the axis, training and unseen ones.

    Returns:
        The features, without the counts.

    Raises:
        InputError: If a file is missing or damaged.
    """
    words = bags = categories = numbers = vectors = None
    path = folder / f"{prefix}_words.parquet"
    if path.exists():
        words = BagOfWords.load(path)
        bags = _load_cells(folder / f"{prefix}_bags.parquet", (num_ids, len(words)))
    path = folder / f"{prefix}_categories.parquet"
    if path.exists():
        names = tuple(read_table(path, ["name"])["name"].to_pylist())
        cells = _load_cells(folder / f"{prefix}_category_cells.parquet", (num_ids, len(names)))
        categories = CategoryFeatures(names, cells)
    path = folder / f"{prefix}_numbers.parquet"
    if path.exists():
        numbers = _load_numbers(path, folder / f"{prefix}_number_scales.parquet", num_ids)
    path = folder / f"{prefix}_vectors.parquet"
    if path.exists():
        vectors = _load_vectors(path, num_ids)
    return SideFeatures(words, bags, categories, numbers, vectors)


def _save_cells(cells: csr_matrix, path: Path) -> None:
    coo = cells.tocoo()
    columns = {
        "index": coo.row.astype(np.int32),
        "word_index": coo.col.astype(np.int32),
        "value": coo.data.astype(np.float32),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def _load_cells(path: Path, shape: tuple[int, int]) -> csr_matrix:
    table = read_table(path, ["index", "word_index", "value"])
    row, column, value = (table[name].to_numpy() for name in ("index", "word_index", "value"))
    for indices, size in ((row, shape[0]), (column, shape[1])):
        if len(indices) and not (indices.min() >= 0 and indices.max() < size):
            raise InputError(
                f"{path} must have indices from 0 to {size - 1}, but has {indices.min()} to "
                f"{indices.max()}; make the folder anew"
            )
    return coo_matrix((value, (row, column)), shape=shape).tocsr()


def _load_numbers(path: Path, scales: Path, num_ids: int) -> NumberFeatures:
    table, scale = read_table(path), read_table(scales, ["mean", "scale"])
    if table.num_rows != num_ids:
        raise InputError(
            f"{path} must have one row for each of {num_ids} ids, but has {table.num_rows}; make "
            "the folder anew"
        )
    values = np.stack([table[name].to_numpy() for name in table.column_names], axis=1)
    mean, deviation = (scale[name].to_numpy() for name in ("mean", "scale"))
    return NumberFeatures(tuple(table.column_names), mean, deviation, values)


def _save_vectors(vectors: VectorFeatures, path: Path) -> None:
    parts = np.split(vectors.values, np.cumsum(vectors.sizes)[:-1], axis=1)
    fields, columns = [], []
    for name, size, scale, values in zip(
        vectors.names, vectors.sizes, vectors.scale, parts, strict=True
    ):
        scaled = {"scale": repr(float(scale))}
        fields.append(pa.field(name, pa.list_(pa.float32(), size), metadata=scaled))
        columns.append(pa.FixedSizeListArray.from_arrays(values.ravel(), size))
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    pq.write_table(table, path, compression="zstd")


def _load_vectors(path: Path, num_ids: int) -> VectorFeatures:
    table = read_table(path)
    if table.num_rows != num_ids:
        raise InputError(
            f"{path} must have one row for each of {num_ids} ids, but has {table.num_rows}; make "
            "the folder anew"
        )
    sizes = tuple(field.type.list_size for field in table.schema)
    scale = np.array([float(field.metadata[b"scale"]) for field in table.schema])
    parts = [
        table[name].combine_chunks().flatten().to_numpy().reshape(num_ids, size)
        for name, size in zip(table.column_names, sizes, strict=True)
    ]
    return VectorFeatures(tuple(table.column_names), sizes, scale, np.hstack(parts))
