"""What is fitted on the training rows and saved with a dataset: text, features, orders."""

from pathlib import Path

from scipy.sparse import csr_matrix

from recsparse.config.config import Config
from recsparse.config.data import TextConfig
from recsparse.datasets.building.doubtful_features import warn_of_doubtful_features
from recsparse.datasets.building.log_store import FOLDER, LogStore
from recsparse.datasets.building.part_files import Axis, PartedRows, WrittenParts
from recsparse.datasets.building.reviews import AxisName, Reviews
from recsparse.datasets.building.side_source import SideSource, old_table
from recsparse.datasets.dataset_folder import save_order
from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_folder import save_side
from recsparse.datasets.features.side_table import SideFeatures
from recsparse.datasets.indexed_rows import open_indexed
from recsparse.datasets.matrices import matrix_of
from recsparse.datasets.orders.fit_order import fit_order
from recsparse.datasets.workspace import Workspace
from recsparse.errors import InputError


def side_sources(
    tables: tuple[str | Path | None, str | Path | None], store: LogStore | None, config: Config
) -> tuple[SideSource, SideSource]:
    """Return where the features of users and of items come from.

    Args:
        tables: The tables of users and of items, where they are named.
        store: The log of the dataset that is appended to, whose tables stay.
        config: Sections `log`, `text` and `features`.

    Returns:
        The sources of users and of items.

    Raises:
        InputError: If an older build did not keep a table, and none is named.
    """
    users, items = (
        SideSource(new, old_table(store, columns.axis, new), columns, text)
        for new, (columns, text) in zip(tables, _wanted(config), strict=True)
    )
    return users, items


def _wanted(config: Config) -> list[tuple[SideColumns, TextConfig]]:
    # What is read of the table of users and of that of items. Ready-made bags are those of items.
    without_bags = config.text.model_copy(update={"bag_columns": None})
    users, items = SideColumns.of_config(config, "user"), SideColumns.of_config(config, "item")
    return [(users, without_bags), (items, config.text)]


def fit_sides(
    sources: tuple[SideSource, SideSource],
    parted: PartedRows,
    reviews: Reviews | None,
    folder: Path,
    config: Config,
    work: Workspace,
) -> tuple[SideFeatures, dict[str, int]]:
    """Write the ids of users and items, and fit and write their features.

    Ids that a table alone has stand behind those of the log without training rows.

    Args:
        sources: Where the features of users and of items come from.
        parted: Rows and their parts.
        reviews: The texts of training rows, if the log has any.
        folder: The dataset folder, with the rows of all parts.
        config: Section `text`.
        work: The workspace.

    Returns:
        The features of the items, and what was counted.
    """
    counts: dict[str, int] = {}
    sides = []
    axes: list[tuple[AxisName, Axis]] = [("user", parted.users), ("item", parted.items)]
    for source, (name, axis) in zip(sources, axes, strict=True):
        side, others = source.fit(axis, folder / FOLDER, work)
        axis.train.save(folder / f"{name}s.parquet")
        axis.unseen.followed_by(others).save(folder / f"unseen_{name}s.parquet")
        save_side(side, folder, name)
        warn_of_doubtful_features(side, axis, name, folder)
        if others is not None:
            counts[f"{name}s_only_in_table"] = len(others)
        counts |= {f"{name}_table_{count}": number for count, number in side.counts.items()}
        sides.append(side)
    if reviews is not None:
        counts |= _fit_reviews(reviews, parted, folder, config)
    return sides[1], counts


def _fit_reviews(
    reviews: Reviews, parted: PartedRows, folder: Path, config: Config
) -> dict[str, int]:
    counts = {}
    named = {"columns": config.text.log_columns, "bag_columns": None}
    text = config.text.model_copy(update=named)
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
