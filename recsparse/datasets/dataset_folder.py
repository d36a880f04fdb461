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
from recsparse.datasets.split import PART_NAMES, Split
from recsparse.datasets.text import BagOfWords
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, MissingFileError
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from recsparse.toml_file import write_toml

FORMAT_VERSION = 1
DESCRIPTION = "dataset.toml"
_WORDS, _ITEM_WORDS = "words.parquet", "item_words.parquet"


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
        MissingFileError: If there is no such folder.
        InputError: If it is no dataset, of another version, or a file is damaged.
    """
    folder = Path(folder)
    described = _describe(folder)
    users = Vocabulary.load(folder / "users.parquet")
    items = Vocabulary.load(folder / "items.parquet")
    user_order, item_order = (
        AxisOrder(read_table(folder / f"{axis}_order.parquet")["rank"].to_numpy().astype(np.int64))
        for axis in ("user", "item")
    )
    words = item_words = None
    if (folder / _WORDS).is_file():
        words = BagOfWords.load(folder / _WORDS)
        item_words = _word_tensor(read_table(folder / _ITEM_WORDS), len(words), len(items))
    parts = {name: read_table(folder / f"{name}.parquet") for name in PART_NAMES}
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
        found = described["format_version"]
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


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _word_table(words: SparseTensor) -> pa.Table:
    item, word = words.coords.T.numpy()
    return pa.table({"item_index": item, "word_index": word, "value": words.feats[:, 0].numpy()})


def _word_tensor(table: pa.Table, num_words: int, num_items: int) -> SparseTensor:
    item, word = (
        torch.from_numpy(table[name].to_numpy().copy()) for name in ("item_index", "word_index")
    )
    values = torch.from_numpy(table["value"].to_numpy().copy())
    coords = torch.stack([item, word], dim=1)
    return sparse_tensor(coords, values.unsqueeze(1), (num_words,), num_items)
