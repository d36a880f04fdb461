"""The dataset folder: Parquet files and one `dataset.toml`, written in one step."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from recsparse.atomic import atomic_folder
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.ordering import AxisOrder
from recsparse.datasets.parquet import read_table
from recsparse.datasets.schema import interactions_schema
from recsparse.datasets.split import PART_NAMES, Split
from recsparse.datasets.text import BagOfWords
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, MissingFileError
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from recsparse.toml_file import write_toml

FORMAT_VERSION = 1
DESCRIPTION = "dataset.toml"
_WORDS, _ITEM_WORDS = "words.parquet", "item_words.parquet"
_WORD_COLUMNS = ("item_index", "word_index", "value")


def save_dataset(data: Dataset, folder: str | Path) -> None:
    """Write a dataset folder; an older one stays until the new one is complete.

    Args:
        data: The dataset.
        folder: Where to write.

    Raises:
        OutputError: If the disk is full.
    """
    with atomic_folder(folder) as aside:
        data.users.save(aside / "users.parquet")
        data.items.save(aside / "items.parquet")
        for axis, order in (("user", data.user_order), ("item", data.item_order)):
            _write(pa.table({"rank": order.rank}), aside / f"{axis}_order.parquet")
        for name in PART_NAMES:
            _write(getattr(data.split, name), aside / f"{name}.parquet")
        _write(data.rejected, aside / "rejected.parquet")
        if data.words is not None and data.item_words is not None:
            data.words.save(aside / _WORDS)
            _write(_word_table(data.item_words), aside / _ITEM_WORDS)
        write_toml(
            aside / DESCRIPTION,
            {"format_version": FORMAT_VERSION, "counts": data.counts, "config": data.config},
        )


def load_dataset(folder: str | Path) -> Dataset:
    """Read a dataset folder.

    Args:
        folder: What `save_dataset` wrote.

    Returns:
        The dataset.

    Raises:
        MissingFileError: If there is no such folder, or its words are not there.
        InputError: If it is no dataset, of another version, or a file is damaged.
    """
    folder = Path(folder)
    described = _describe(folder)
    users = Vocabulary.load(folder / "users.parquet")
    items = Vocabulary.load(folder / "items.parquet")
    user_order = _load_order(folder / "user_order.parquet", len(users))
    item_order = _load_order(folder / "item_order.parquet", len(items))
    words = item_words = None
    if "words" in described["counts"]:
        words = BagOfWords.load(folder / _WORDS)
        table = read_table(folder / _ITEM_WORDS, _WORD_COLUMNS)
        item_words = _word_tensor(table, len(words), len(items))
    columns = interactions_schema(users.ids.type, items.ids.type).names
    parts = {name: read_table(folder / f"{name}.parquet", columns) for name in PART_NAMES}
    rejected = read_table(folder / "rejected.parquet")
    return Dataset(
        users,
        items,
        Split(**parts),
        user_order,
        item_order,
        words,
        item_words,
        described["counts"],
        described["config"],
        rejected,
    )


def _describe(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise MissingFileError(
            f"the dataset must be a folder, but there is none at {folder}; make one with "
            "`recsparse prepare`"
        )
    try:
        described = tomllib.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        found, _, _ = (described[key] for key in ("format_version", "counts", "config"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(
            f"{folder} must be a dataset folder with a readable {DESCRIPTION}, but {error!r}; make "
            "it with `recsparse prepare`"
        ) from error
    if found != FORMAT_VERSION:
        raise InputError(
            f"{folder} must have format version {FORMAT_VERSION}, but has {found}; prepare it again"
        )
    return described


def _load_order(path: Path, size: int) -> AxisOrder:
    rank = read_table(path, ["rank"])["rank"].to_numpy().astype(np.int64)
    if len(rank) != size:
        raise InputError(
            f"{path} must have one rank for each of {size} ids, but has {len(rank)}; make the "
            "folder anew"
        )
    return AxisOrder(rank)


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _word_table(words: SparseTensor) -> pa.Table:
    item, word = words.coords.T.numpy()
    columns = [item, word, words.feats[:, 0].numpy()]
    return pa.table(dict(zip(_WORD_COLUMNS, columns, strict=True)))


def _word_tensor(table: pa.Table, num_words: int, num_items: int) -> SparseTensor:
    item, word, values = (torch.from_numpy(table[name].to_numpy().copy()) for name in _WORD_COLUMNS)
    coords = torch.stack([item, word], dim=1)
    return sparse_tensor(coords, values.unsqueeze(1), (num_words,), num_items)
