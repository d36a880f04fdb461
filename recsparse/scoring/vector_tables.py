"""Vectors of users and items as tables, for an index or a system of one's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from recsparse.datasets.id_types import Ids, ids_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.list_jobs import IdJob, write_by_ids
from recsparse.scoring.request_columns import refuse_unknown, slices
from recsparse.scoring.trained import TrainedModel

Axis = Literal["user", "item"]
_IDS_AT_ONCE = 65_536
_CURES = {
    "user": "leave these out, or give their rows by --history",
    "item": "leave these out",
}


def vectors_of(trained: TrainedModel, of: Axis, ids: Ids | None = None) -> pa.Table:
    """Return the vectors of users or of items; the product of two is the score of the pair.

    A bias of the items is the last coordinate, by which each user has 1.

    Args:
        trained: The model.
        of: Whose vectors.
        ids: Whose; None means all that the model knows.

    Returns:
        Columns `user_id` or `item_id`, and `vector`, a list of float32 of fixed length; a row per
        id. A user of whom nothing is known has what the model makes of no rows, while `score` takes
        popularity.

    Raises:
        UnknownIdError: If an id is unknown.
        InputError: If the model's scores are no products of vectors.
    """
    wanted = known_ids(trained, of).ids if ids is None else ids_of(ids)
    return pa.concat_tables(_tables(trained, of, wanted))


def write_vectors(
    trained: TrainedModel,
    out: str | Path,
    of: Axis,
    ids: pa.Array | None = None,
    options: BatchOptions | None = None,
) -> int:
    """Write the vectors of users or of items; a killed job resumes where it stopped.

    Args:
        trained: The model.
        out: A Parquet file (`….parquet`) or a folder of parts.
        of: Whose vectors.
        ids: Whose; None means all that the model knows.
        options: How the job runs.

    Returns:
        The number of ids.

    Raises:
        UnknownIdError: If an id is unknown.
        InputError: If there are no ids, or the model's scores are no products of vectors.
    """
    wanted = known_ids(trained, of).ids if ids is None else ids
    _require_vectors(trained)
    _located(trained, of, wanted)

    def rows_of(some: pa.Array) -> pa.Table:
        return pa.concat_tables(_tables(trained, of, some))

    job = IdJob("vectors", "writing the vectors", of, (of,))
    return write_by_ids(job, trained, wanted, rows_of, out, options or BatchOptions())


def known_ids(trained: TrainedModel, of: Axis) -> Vocabulary:
    """Return the ids that a model knows.

    Args:
        trained: The model.
        of: Whose.

    Returns:
        Those of its users, or of its items.
    """
    return trained.users if of == "user" else trained.items


def _tables(trained: TrainedModel, of: Axis, ids: pa.Array) -> Iterator[pa.Table]:
    _require_vectors(trained)
    index, kind = _located(trained, of, ids), known_ids(trained, of).ids.type
    for rows in [*slices(len(ids), _IDS_AT_ONCE)] or [slice(0, 0)]:
        vectors = _vectors(trained, of, index[rows]).contiguous().numpy()
        flat = pa.array(vectors.ravel(), pa.float32())
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        yield pa.table({f"{of}_id": ids[rows].cast(kind), "vector": column})


def _located(trained: TrainedModel, of: Axis, ids: pa.Array) -> NDArray[np.int64]:
    index = known_ids(trained, of).index_of(ids)
    refuse_unknown(f"{of}_id", ids, index, _CURES[of])
    if of == "user" and trained.left_out is not None:
        trained.left_out.require(ids, index)
    return index


def _vectors(trained: TrainedModel, of: Axis, index: NDArray[np.int64]) -> Float[Tensor, "n d"]:
    scorer = trained.scorer
    return scorer.user_vectors(index) if of == "user" else scorer.item_vectors()[index]


def _require_vectors(trained: TrainedModel) -> None:
    if not trained.scorer.is_by_vectors:
        raise InputError(
            f"vectors need a model whose scores are products of them, but those of "
            f"{trained.model.kind} are not; train ials, bpr, light_gcn, text_ridge, mult_vae, "
            "timeline, sasrec, or sparse_grid with model.linear=none"
        )
