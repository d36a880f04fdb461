"""Vectors of users and items, for an index or a system of one's own."""

from pathlib import Path
from typing import Any, cast, get_args

from recsparse.datasets.frames import Tables, like
from recsparse.datasets.id_types import Ids
from recsparse.errors import ConfigError
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.vector_tables import Axis, known_ids, vectors_of, write_vectors
from recsparse.stages.load import locate
from recsparse.stages.start_of_scores import HistoryOptions, early_checked, loaded, named_ids


def axis_named(name: str) -> Axis:
    """Return whose vectors a word asks for.

    Args:
        name: `user` or `item`.

    Returns:
        The same.

    Raises:
        ConfigError: If it is another word.
    """
    if name not in get_args(Axis):
        raise ConfigError(f"--of must be user or item, but is {name!r}")
    return cast("Axis", name)


def vectors(
    model: str | Path,
    out: str | Path | None = None,
    of: Axis = "user",
    ids: Ids | Tables | None = None,
    reporter: Reporter = SILENT,
    start: HistoryOptions | None = None,
    overwrite: bool = True,
) -> Any:
    """Write the vectors of users or of items; a killed job resumes where it stopped.

    The product of a user's and an item's vector is the score of the pair.

    Args:
        model: A model folder or an MLflow address.
        out: A Parquet file or a folder of parts; None returns a frame.
        of: Whose vectors, `user` or `item`.
        ids: Ids: a list, an array, or a column of pandas, Polars or Arrow; or a file, a folder, a
            glob, an address or a frame with a column of them. None means all users of the history
            where one is given, else all ids of the model.
        reporter: Shows the progress.
        start: Histories that take the place of the model's own; see `HistoryOptions`.
        overwrite: Replace vectors of other ids, another model or other histories.

    Returns:
        The number of ids; without `out`, a frame with the columns of `vectors_of`: of Polars or
        Arrow where the ids are, else of pandas.

    Raises:
        InputError: If the model's scores are no products of vectors.
        UnknownIdError: If an id is unknown.
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
    """
    start, inputs = start or HistoryOptions(), tuple[str | Path, ...]()
    file = ids if isinstance(ids, (str, Path)) else None
    if out is None:
        folder = locate(model, reporter=reporter)
    else:
        folder, inputs = early_checked(out, model, start, file, reporter)
    trained, others = loaded(folder, start, reporter)
    wanted = others if of == "user" else None
    if ids is not None:
        kind = known_ids(trained, of).ids.type
        wanted = named_ids(ids, file is None, f"{of}_id", kind, reporter)
    if out is None:
        return like(vectors_of(trained, of, wanted), ids)
    options = BatchOptions(reporter=reporter, overwrite=overwrite, inputs=inputs)
    return write_vectors(trained, out, of, wanted, options)
