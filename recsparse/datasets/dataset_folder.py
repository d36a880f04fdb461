"""The dataset folder: Arrow and Parquet files and one `dataset.toml`."""

import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.toml_reader import parse_config
from recsparse.config.toml_writer import write_toml
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.features.side_folder import load_side
from recsparse.datasets.indexed_rows import open_indexed
from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.parts import PART_NAMES, Parts
from recsparse.datasets.reading.tables import read_table
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, MissingFileError, reason
from recsparse.files.filesystems import fetched
from recsparse.outputs.kinds import FolderKind, describes_itself
from recsparse.outputs.manifest import check_file, read_manifest

FORMAT_VERSION = 2
DESCRIPTION, REJECTED = "dataset.toml", "rejected.parquet"
LOG = "log/"
_OLDER_NAMES = (
    *(DESCRIPTION, REJECTED, "*_order.parquet", "log/*.arrow", "log/*.parquet"),
    *(f"{name}.arrow" for name in PART_NAMES),
    *(f"{kind}{axis}.parquet" for kind in ("", "unseen_") for axis in ("users", "items")),
    *(
        f"{axis}{kind}_{what}.parquet"
        for axis in ("user", "item")
        for kind in ("", "_reviews")
        for what in (
            "words",
            "bags",
            "categories",
            "category_cells",
            "numbers",
            "number_scales",
            "vectors",
        )
    ),
)


DATASET = FolderKind(
    "dataset",
    "a dataset folder",
    partial(describes_itself, name=DESCRIPTION, keys=("format_version",)),
    _OLDER_NAMES,
)


def load_dataset(folder: str | Path, check: bool = True) -> Dataset:
    """Open a dataset folder; the rows are mapped into memory and not read until they are used.

    Args:
        folder: What `recsparse prepare` wrote, or its address on another filesystem.
        check: Compare the size and the checksum of each file with the manifest.

    Returns:
        The dataset.

    Raises:
        MissingFileError: If there is no such folder, or words are not there.
        InputError: If it is no dataset, of another version, or a file is damaged.
    """
    folder = fetched(folder)
    described = read_dataset_description(folder)
    _require_words(folder, described["counts"])
    users, items = (load_vocabularies(folder)[name] for name in ("users", "items"))
    unseen_users, unseen_items = (
        Vocabulary.load(folder / f"unseen_{name}.parquet") for name in ("users", "items")
    )
    num_users, num_items = len(users) + len(unseen_users), len(items) + len(unseen_items)
    dataset = Dataset(
        users=users,
        items=items,
        unseen_users=unseen_users,
        unseen_items=unseen_items,
        split=Parts(**{name: open_indexed(folder / f"{name}.arrow") for name in PART_NAMES}),
        user_order=_load_order(folder / "user_order.parquet", len(users)),
        item_order=_load_order(folder / "item_order.parquet", len(items)),
        user_side=load_side(folder, "user", num_users),
        item_side=load_side(folder, "item", num_items),
        user_reviews=load_side(folder, "user_reviews", num_users),
        item_reviews=load_side(folder, "item_reviews", num_items),
        counts=described["counts"],
        config=parse_config(described["config"], source=f"{folder / DESCRIPTION}"),
    )
    if check:  # last, since other errors say more
        _check_files(folder)
    return dataset


def _check_files(folder: Path) -> None:
    # Without a manifest it is of an older build. The log has its own checks, where it is read.
    manifest = read_manifest(folder)
    for name, record in ({} if manifest is None else manifest.files).items():
        if not name.startswith(LOG) and (folder / name).exists():
            check_file(folder, name, record)


def _require_words(folder: Path, counts: dict[str, int]) -> None:
    # Without the file there would seem to be no text.
    for axis in ("user", "item"):
        for count, prefix in (("table", axis), ("review", f"{axis}_reviews")):
            path = folder / f"{prefix}_words.parquet"
            if f"{axis}_{count}_words" in counts and not path.exists():
                raise MissingFileError(
                    f"{path} must be the file that was written there, but there is none; make the "
                    "folder anew"
                )


def load_vocabularies(folder: str | Path) -> dict[str, Vocabulary]:
    """Return the training vocabularies of a dataset folder.

    Args:
        folder: A dataset folder.

    Returns:
        `users` and `items`.

    Raises:
        InputError: If it is no dataset, of another version, or a file is damaged.
    """
    folder = Path(folder)
    read_dataset_description(folder)
    return {name: Vocabulary.load(folder / f"{name}.parquet") for name in ("users", "items")}


def read_dataset_description(folder: Path) -> dict[str, Any]:
    """Return what `dataset.toml` says.

    Args:
        folder: A dataset folder.

    Returns:
        `format_version`, `counts` and `config`.

    Raises:
        MissingFileError: If there is no such folder.
        InputError: If it is no dataset, or of another version.
    """
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
            f"{folder} must be a dataset folder with a readable {DESCRIPTION}, but "
            f"{reason(error)}; make it with `recsparse prepare`"
        ) from error
    if found != FORMAT_VERSION:
        raise InputError(
            f"{folder} must have format version {FORMAT_VERSION}, but has {found}; prepare it again"
        )
    return described


def write_description(folder: Path, counts: dict[str, int], config: dict[str, Any]) -> None:
    """Write `dataset.toml`.

    Args:
        folder: The dataset folder.
        counts: How many rows, users and items went where.
        config: The settings.
    """
    described = {"format_version": FORMAT_VERSION, "counts": counts, "config": config}
    write_toml(folder / DESCRIPTION, described)


def save_order(order: AxisOrder, path: Path) -> None:
    """Write an order.

    Args:
        order: The order of an axis.
        path: The Parquet file.
    """
    pq.write_table(pa.table({"rank": order.rank}), path, compression="zstd")


def _load_order(path: Path, size: int) -> AxisOrder:
    rank = read_table(path, ["rank"])["rank"].to_numpy().astype(np.int64)
    if len(rank) != size:
        raise InputError(
            f"{path} must have one rank for each of {size} ids, but has {len(rank)}; make the "
            "folder anew"
        )
    return AxisOrder(rank)
