"""Titles of items, as the table of items that a dataset was made with has them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.datasets.dataset_folder import LOG
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.evaluation.examples import Titles
from recsparse.files.filesystems import fetched

_TABLE = f"{LOG}item_table.parquet"
_NAMES = ("title", "name", "full_title", "item_title", "item_name", "label")
_LONGEST = 60


def item_titles(dataset: str | Path) -> Titles:
    """Return what gives items their titles: a column that is named so, or the first of text.

    Args:
        dataset: The dataset folder.

    Returns:
        A function of ids, which returns the id itself for an item without a title.
    """
    path = fetched(dataset) / _TABLE
    column = _title_column(pq.read_schema(path)) if path.is_file() else None
    if column is None:
        return lambda ids: [str(each) for each in ids.to_pylist()]
    key = pq.read_schema(path).names[0]
    table = pq.read_table(path, columns=[key, column])
    known, texts = Vocabulary(table[key].combine_chunks()), table[column].combine_chunks()

    def titles(ids: pa.Array) -> list[str]:
        places = known.index_of(ids)
        found = [texts[int(place)].as_py() if place >= 0 else None for place in places]
        pairs = zip(found, ids.to_pylist(), strict=True)
        return [_shortened(text) if text else str(each) for text, each in pairs]

    return titles


def _title_column(schema: pa.Schema) -> str | None:
    # The first column is that of the ids.
    texts = [each.name for each in schema if pa.types.is_string(each.type)]
    texts = [name for name in texts if name != schema.names[0]]
    named = [name for name in texts if name.lower() in _NAMES]
    return next(iter([*named, *texts]), None)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
