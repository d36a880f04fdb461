"""What is fitted on the training rows and saved with a dataset: text, features, orders."""

from pathlib import Path

import pyarrow as pa
from scipy.sparse import csr_matrix

from recsparse.config import Config
from recsparse.data_config import TextConfig
from recsparse.datasets.building.parts import Axis, PartedRows, WrittenParts
from recsparse.datasets.building.reviews import AxisName, Reviews
from recsparse.datasets.dataset_folder import save_order
from recsparse.datasets.matrices import matrix_of
from recsparse.datasets.ordering import fit_order
from recsparse.datasets.rows import open_indexed
from recsparse.datasets.side_folder import save_side
from recsparse.datasets.side_table import (
    SideColumns,
    SideFeatures,
    fit_side_features,
    require_side_table,
)
from recsparse.datasets.text import BagOfWords
from recsparse.errors import InputError


def fit_vocabularies(parted: PartedRows, folder: Path) -> None:
    """Write the ids of both axes.

    Args:
        parted: Rows and their parts.
        folder: The dataset folder.
    """
    for axis, name in ((parted.users, "users"), (parted.items, "items")):
        axis.train.save(folder / f"{name}.parquet")
        axis.unseen.save(folder / f"unseen_{name}.parquet")


def require_tables(
    tables: tuple[str | Path | None, str | Path | None],
    types: tuple[pa.DataType, pa.DataType],
    config: Config,
) -> None:
    """Raise an error unless the tables can be read, so that it comes before the log is read.

    Args:
        tables: The tables of users and of items, as far as there are any.
        types: Of the ids of users and of items in the log.
        config: Sections `log`, `text` and `features`.
    """
    for path, id_type, (columns, text) in zip(tables, types, _wanted(config), strict=True):
        if path is not None:
            require_side_table(path, columns, id_type, text)


def _wanted(config: Config) -> list[tuple[SideColumns, TextConfig]]:
    # What is read of the table of users and of that of items. Ready-made bags are those of items.
    log, text, features = config.log, config.text, config.features
    users = SideColumns(
        log.user_column, text.user_columns, features.user_categories, features.user_numbers
    )
    items = SideColumns(log.item_column, text.columns, features.categories, features.numbers)
    return [(users, text.model_copy(update={"bag_columns": None})), (items, text)]


def fit_sides(
    tables: tuple[str | Path | None, str | Path | None],
    parted: PartedRows,
    reviews: Reviews | None,
    folder: Path,
    config: Config,
) -> tuple[SideFeatures, dict[str, int]]:
    """Fit and write the features of users and items.

    Args:
        tables: The tables of users and of items, as far as there are any.
        parted: Rows and their parts.
        reviews: The texts of training rows, if the log has any.
        folder: The dataset folder.
        config: Sections `log`, `text` and `features`.

    Returns:
        The features of the items, and what was counted.
    """
    counts: dict[str, int] = {}
    users, items = (
        SideFeatures()
        if path is None
        else fit_side_features(path, columns, axis.train, axis.unseen, text)
        for path, axis, (columns, text) in zip(
            tables, (parted.users, parted.items), _wanted(config), strict=True
        )
    )
    for side, name in ((users, "user"), (items, "item")):
        save_side(side, folder, name)
        counts |= {f"{name}_table_{count}": number for count, number in side.counts.items()}
    if reviews is not None:
        counts |= _fit_reviews(reviews, parted, folder, config)
    return items, counts


def _fit_reviews(
    reviews: Reviews, parted: PartedRows, folder: Path, config: Config
) -> dict[str, int]:
    counts = {}
    text = config.text.model_copy(update={"bag_columns": None})
    axes: list[tuple[AxisName, Axis]] = [("user", parted.users), ("item", parted.items)]
    for name, axis in axes:
        num_train = len(axis.train)
        words, bags = BagOfWords.fit_chunks(
            reviews.texts(name), num_train, num_train + len(axis.unseen), text
        )
        save_side(SideFeatures(words, bags), folder, f"{name}_reviews")
        counts[f"{name}_review_words"] = len(words)
    return counts


def fit_orders(
    parted: PartedRows, written: WrittenParts, items: SideFeatures, folder: Path, config: Config
) -> None:
    """Fit and write the orders of both axes.

    Args:
        parted: Rows and their parts.
        written: What was counted of the training rows.
        items: Features of the items.
        folder: The dataset folder.
        config: Section `order`, and the seed.

    Raises:
        InputError: If the order goes by text and items have none.
    """
    kind, seed = config.order.kind, config.seed
    shape = len(parted.users.train), len(parted.items.train)
    text = None if items.bags is None else items.bags[: shape[1]]
    if kind == "text" and text is None:
        raise InputError(
            "order.kind = text needs the text of items, but there is none; give a table of items "
            "by --items, or choose another order"
        )

    def matrix() -> csr_matrix:
        return matrix_of(open_indexed(folder / "train.arrow"), shape)

    save_order(fit_order(kind, written.users, matrix, seed), folder / "user_order.parquet")
    order = fit_order(kind, written.items, lambda: matrix().T.tocsr(), seed, text)
    save_order(order, folder / "item_order.parquet")
