"""Lists of items as tables, and which items may be in one."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsparse.config.choices import OnUnknown
from recsparse.datasets.id_types import Ids, ids_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.scoring.request_columns import refuse_unknown


def list_table(
    of: pa.Array,
    items: Vocabulary,
    best: NDArray[np.int64],
    scores: NDArray[np.float32],
    names: tuple[str, str] = ("user_id", "item_id"),
) -> pa.Table:
    """Return lists as a table.

    Args:
        of: One id per list, of a user or an item.
        items: The catalogue.
        best: Lists × length: places of items in the catalogue, −1 where a list is shorter.
        scores: Of these.
        names: Of the columns of the ids: whose list it is, and what is in it.

    Returns:
        The columns of ids, `rank` (from 1) and `score`; a row per item of a list.
    """
    row, place = np.nonzero(best >= 0)
    return pa.table(
        {
            names[0]: of.take(pa.array(row)),
            names[1]: items.id_of(best[row, place].astype(np.int64)),
            "rank": pa.array(place + 1, pa.int32()),
            "score": pa.array(scores[row, place], pa.float32()),
        }
    )


def allowed_items(
    items: Vocabulary, wanted: Ids | None, on_unknown: OnUnknown
) -> NDArray[np.bool_] | None:
    """Say which items may be in a list.

    Args:
        items: The catalogue.
        wanted: Ids of those; None for all.
        on_unknown: Other than `error` passes over ids that the catalogue lacks.

    Returns:
        One truth per item; None for all.

    Raises:
        UnknownIdError: If an id is unknown and `on_unknown` is `error`.
    """
    if wanted is None:
        return None
    ids = ids_of(wanted)
    index = items.index_of(ids)
    if on_unknown == "error":
        refuse_unknown("item_id", ids, index)
    allowed = np.zeros(len(items), dtype=bool)
    allowed[index[index >= 0]] = True
    return allowed
