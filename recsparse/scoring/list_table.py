"""Lists of items as tables, and which items may be in one."""

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.choices import OnUnknown
from recsparse.datasets.id_types import Ids, ids_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.metrics.top_k import mask_seen, top_k
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


def best_items(
    scores: Float[Tensor, "b m"],
    k: int,
    seen: csr_matrix | None,
    allowed: Bool[Tensor, " m"] | None,
    without: NDArray[np.bool_],
) -> tuple[Int[Tensor, "b k"], Float[Tensor, "b k"]]:
    """Return the items of the largest scores.

    Args:
        scores: Users × items; changed in place.
        k: Length of each list.
        seen: Users × items, those that no list may hold; None for none.
        allowed: Items that a list may hold; None for all.
        without: Users who get no list.

    Returns:
        Places of items in the catalogue, −1 where a list is shorter, and their scores.
    """
    if seen is not None:
        scores = mask_seen(scores, seen)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    scores[torch.from_numpy(without)] = -torch.inf
    return top_k(scores, k)


def allowed_items(
    items: Vocabulary, wanted: Ids | None, on_unknown: OnUnknown
) -> torch.Tensor | None:
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
    allowed = torch.zeros(len(items), dtype=torch.bool)
    allowed[torch.from_numpy(index[index >= 0])] = True
    return allowed
