"""The variants of the ablation: models that differ from the first of their kind in one thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recsparse.datasets.orders.fit_order import OrderKind


@dataclass(frozen=True)
class Variant:
    """A model, and what is done to its data.

    Attributes:
        model: The section `model`.
        item_order: The order of the items on their axis; None leaves them as they are, by id.
        shuffles_time: Give each user's events their times in a random order.
        shuffles_features: Give each item the features of a random other one.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    item_order: OrderKind | None = None
    shuffles_time: bool = False
    shuffles_features: bool = False


_GRID = {"kind": "sparse_grid", "linear": None, "cell_dropout": 0.3, "regularisation": 0.01}
_WINDOW = {**_GRID, "window_blocks": 1, "window": 3}
_ON_THE_GRID = {
    "ridge pooling, network": Variant(_GRID),
    "mean pooling": Variant({**_GRID, "pooling": "mean"}),
    "attention pooling": Variant({**_GRID, "pooling": "attention"}),
    "kernel of the whole row": Variant({**_GRID, "axis_blocks": 1}),
    "window of 3 items, spectral order": Variant(_WINDOW, "spectral"),
    "window of 3 items, random order": Variant(_WINDOW, "random"),
    "window of 9 items, spectral order": Variant({**_WINDOW, "window": 9}, "spectral"),
    "window of 9 items, random order": Variant({**_WINDOW, "window": 9}, "random"),
    "linear term": Variant({**_GRID, "linear": {"kind": "ease", "regularisation": 400.0}}),
    "text": Variant({**_GRID, "features": "all"}),
}


def _in_time(epochs: int, batch_users: int) -> dict[str, Variant]:
    training = {
        "epochs": epochs,
        "batch_users": batch_users,
        "learning_rate": 2e-3,
        "precision": "auto",
    }
    timeline = {"kind": "timeline", "dropout": 0.2, "training": training}
    return {
        "kernel of 3 events": Variant(timeline),
        "kernel of 1 event": Variant({**timeline, "kernel_size": 1}),
        "kernel of 3, shuffled times": Variant(timeline, shuffles_time=True),
        "kernel of 3, one block": Variant({**timeline, "blocks": 1}),
        "attention (SASRec)": Variant({**timeline, "kind": "sasrec"}),
        "kernel of 3, time between events": Variant({**timeline, "use_gaps": True}),
        "attention, time between events": Variant({**timeline, "kind": "sasrec", "use_gaps": True}),
    }


def _featured(epochs: int, batch_users: int, *groups: str) -> dict[str, Variant]:
    """Return a network of time with each group of features, with all, and with all shuffled."""
    training = {"epochs": epochs, "batch_users": batch_users, "learning_rate": 2e-3}
    timeline = {"kind": "timeline", "dropout": 0.2, "training": training}
    return {
        "no features": Variant(timeline),
        **{name: Variant({**timeline, "features": [name]}) for name in groups},
        "all": Variant({**timeline, "features": "all"}),
        "all, shuffled among items": Variant(
            {**timeline, "features": "all"}, shuffles_features=True
        ),
    }


_ROWS = {"kind": "ease", "regularisation": 400.0}
_WINDOWS = {"kind": "ease", "regularisation": 120.0, "window_events": 32}
_BOTH = {"kind": "blend", "parts": [_ROWS, _WINDOWS]}
_LINEAR_IN_TIME = {
    "EASE of rows": Variant(_ROWS),
    "EASE of windows of 32 events": Variant(_WINDOWS),
    "the same, shuffled times": Variant(_WINDOWS, shuffles_time=True),
    "rows and windows, half each": Variant(_BOTH),
    "rows and windows, shuffled times": Variant(_BOTH, shuffles_time=True),
}
VARIANTS: Mapping[str, Mapping[str, Variant]] = {
    "ml100k-random": _ON_THE_GRID,
    "ml1m-held-out-users": _ON_THE_GRID,
    "ml100k-random-timed": _LINEAR_IN_TIME,
    "ml1m-random-timed": _LINEAR_IN_TIME,
    "ml1m-held-out-users-timed": _LINEAR_IN_TIME,
    "ml100k-last-out": _in_time(epochs=30, batch_users=32),
    # Few epochs, which can be afforded, the same for all.
    "ml1m-last-out": _in_time(epochs=6, batch_users=64),
    "ml100k-last-out-features": _featured(30, 32, "words", "categories"),
    "ml1m-last-out-features": _featured(6, 64, "words", "categories", "year", "director"),
}


@dataclass(frozen=True)
class ItemTable:
    """A table of items, which a protocol itself does without.

    Attributes:
        protocol: The name of the protocol.
        path: The table, below the folder in `RECSPARSE_DATA`.
        settings: What is read of it.
    """

    protocol: str
    path: str
    settings: tuple[str, ...]


_ML100K, _ML1M = "movielens-100k/items.parquet", "movielens-1m/items.parquet"
ITEM_TABLES: Mapping[str, ItemTable] = {
    "ml100k-random": ItemTable("ml100k-random", _ML100K, ("text.columns=['title']",)),
    "ml1m-held-out-users": ItemTable("ml1m-held-out-users", _ML1M, ("text.columns=['text']",)),
    "ml100k-last-out-features": ItemTable(
        "ml100k-last-out", _ML100K, ("text.columns=['title']", "features.categories=['categories']")
    ),
    "ml1m-last-out-features": ItemTable(
        "ml1m-last-out",
        _ML1M,
        ("text.columns=['plot']", "features.categories=['categories', 'year', 'director']"),
    ),
}
