"""Tables of items of a few rows, and their features."""

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.data import TextConfig
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_table import SideFeatures, fit_side_features
from recsparse.datasets.vocabulary import Vocabulary

COUNTS = TextConfig(weighting="counts")
BAGS = TextConfig(weighting="counts", bag_columns=("words", "counts"))


def vocabulary(values) -> Vocabulary:
    """Return ids in this order; strings where one is `a`."""
    return Vocabulary(pa.array(values, pa.string() if "a" in values else pa.int64()))


def fit(path, train=(0, 1, 2), unseen=(), config=COUNTS, **columns) -> SideFeatures:
    """Return the features of a table whose ids are `item_id`."""
    return fit_side_features(
        path,
        SideColumns("item_id", **columns),
        vocabulary(list(train)),
        vocabulary(list(unseen)),
        config,
    )[0]


def fit_table(folder, columns, train=(0, 1, 2), unseen=(), config=COUNTS, **named) -> SideFeatures:
    """Write columns to `items.parquet` in a folder, and return their features."""
    path = folder / "items.parquet"
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path)
    return fit(path, train, unseen, config, **named)
