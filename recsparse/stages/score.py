"""The fourth stage: batch scores of candidates, and recommendations."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsparse.config.choices import OnUnknown
from recsparse.config.data import LogConfig
from recsparse.datasets.frames import (
    Tables,
    as_files,
    is_frame,
    like,
    name_of_frame,
    to_arrow,
    with_column,
)
from recsparse.datasets.id_types import Ids
from recsparse.datasets.parts import PARTS
from recsparse.datasets.reading.find_files import Paths
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.scoring.batch import (
    check_candidates,
    read_candidates,
    score_candidates,
)
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.list_jobs import recommend_users
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.load import locate
from recsparse.stages.start_of_scores import HistoryOptions, early_checked, loaded, named_ids

__all__ = ["HistoryOptions", "RecommendOptions", "recommend", "score"]


def score(  # noqa: PLR0913  (dataset is short for the usual start)
    model: str | Path,
    candidates: Tables,
    out: str | Path | None = None,
    dataset: str | Path | None = None,
    on_unknown: OnUnknown = "error",
    reporter: Reporter = SILENT,
    start: HistoryOptions | None = None,
    overwrite: bool = True,
) -> Any:
    """Write candidate pairs with a `score` column; a killed job resumes where it stopped.

    Without `out`, the candidates are all in memory, and nothing is written.

    Args:
        model: A model folder or an MLflow address.
        candidates: Files, folders, globs or addresses, as `prepare` takes them, with `user_id`,
            `item_id` and any other columns, which are kept; or a frame of pandas, Polars or Arrow,
            or a list of such.
        out: A Parquet file or a folder of parts; None returns a frame.
        dataset: Start from all that this dataset knows of the users, and not from the training
            rows alone.
        on_unknown: What to do with ids never seen.
        reporter: Shows the progress.
        start: All that scores start from; it takes the place of `dataset`.
        overwrite: Replace scores of other candidates, another model or other options.

    Returns:
        The number of rows; without `out`, the candidates with their scores: a frame of the library
        that theirs is of, of pandas where they are in files.

    Raises:
        SchemaError: If an id column is missing, or there is a `score` column already.
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
    """
    start = start or HistoryOptions(dataset)
    if out is None:
        return _scored_frame(model, candidates, on_unknown, reporter, start)
    with as_files(candidates=candidates) as (given,):
        return _scored_files(model, given, out, on_unknown, reporter, start, overwrite)


def _scored_frame(
    model: str | Path,
    candidates: Tables,
    on_unknown: OnUnknown,
    reporter: Reporter,
    start: HistoryOptions,
) -> Any:
    table, where = None, name_of_frame("candidates")
    if is_frame(candidates):
        table = to_arrow(candidates, where)
        check_candidates(table, where)
    trained, _ = loaded(locate(model, reporter=reporter), start, reporter)
    if table is None:
        with as_files(candidates=candidates) as (paths,):
            table = read_candidates(trained, paths)
    scores = pa.array(trained.score(table, on_unknown), from_pandas=True)
    if is_frame(candidates):
        return with_column(candidates, "score", scores)
    return table.append_column("score", scores).to_pandas()


def _scored_files(
    model: str | Path,
    candidates: Paths,
    out: str | Path,
    on_unknown: OnUnknown,
    reporter: Reporter,
    start: HistoryOptions,
    overwrite: bool,
) -> int:
    folder, inputs = early_checked(out, model, start, candidates, reporter)
    trained, _ = loaded(folder, start, reporter)
    options = BatchOptions(
        on_unknown=on_unknown, reporter=reporter, overwrite=overwrite, inputs=inputs
    )
    return score_candidates(trained, candidates, out, options)


@dataclass(frozen=True)
class RecommendOptions:
    """Whom to recommend to, and from what.

    Attributes:
        k: Length of each list.
        users: Files or a frame with a column `user_id`; without it, the users of `history`, else
            all known.
        dataset: Start from, and leave out, all that this dataset knows of the users.
        history: A log, files or frames, whose rows replace what is known of its users, who may be
            new.
        on_unknown: What to do with users never seen.
        log: How to read the history: what is set here wins over the settings of the model's
            dataset.
        parts: Those parts of the dataset that are taken; see `HistoryOptions`.
        new_items: A table of items that came after the training; see `HistoryOptions`.
        explain: Say of each item which of the history brought it its score.
    """

    k: int = 20
    users: Tables | None = None
    dataset: str | Path | None = None
    history: Tables | None = None
    on_unknown: OnUnknown = "error"
    log: LogConfig = field(default_factory=LogConfig)
    parts: tuple[str, ...] = PARTS
    new_items: Tables | None = None
    explain: bool = False


def recommend(
    model: str | Path,
    out: str | Path | None = None,
    options: RecommendOptions | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
    users: Ids | Tables | None = None,
    k: int | None = None,
) -> Any:
    """Write the k best unseen items of each user; a killed job resumes where it stopped.

    Args:
        model: A model folder or an MLflow address.
        out: A Parquet file or a folder of parts; None returns a frame.
        options: Whom to recommend to, and from what.
        reporter: Shows the progress.
        overwrite: Replace lists of other users, another model or other options.
        users: Ids: a list, an array, or a column of pandas, Polars or Arrow; or a file or a frame
            with a column `user_id`. They take the place of those of the options.
        k: Length of each list, in the place of that of the options.

    Returns:
        The number of users; without `out`, a frame with the columns of `TrainedModel.recommend`: of
        Polars or Arrow where the users are, or where the history is and no users
        are named, else of pandas.

    Raises:
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
    """
    options = options or RecommendOptions()
    if k is not None:
        options = replace(options, k=k)
    named = options.users if users is None else users
    # A list may be one of ids, and one of files: the former is an argument, the latter an option.
    table = named if users is None or isinstance(users, (str, Path)) else None
    start = HistoryOptions(
        options.dataset, options.parts, options.history, options.log, options.new_items
    )
    if out is None:
        trained, wanted = loaded(locate(model, reporter=reporter), start, reporter)
        ids = _ids(named, table is None, trained, wanted, reporter)
        unknown, explain = options.on_unknown, options.explain
        found = trained.recommend(ids, options.k, on_unknown=unknown, explain=explain)
        of = options.history if named is None else named
        return like(pa.Table.from_pandas(found, preserve_index=False), of)
    folder, inputs = early_checked(out, model, start, table, reporter)
    trained, wanted = loaded(folder, start, reporter)
    ids = _ids(named, table is None, trained, wanted, reporter)
    batch = BatchOptions(
        on_unknown=options.on_unknown,
        reporter=reporter,
        overwrite=overwrite,
        inputs=inputs,
        explain=options.explain,
    )
    return recommend_users(trained, out, options.k, ids, batch)


def _ids(
    named: Any, are_ids: bool, trained: TrainedModel, others: pa.Array | None, reporter: Reporter
) -> pa.Array | None:
    """Return whom to recommend to: users named by a table or by their ids, else the others."""
    if named is None:
        return others
    return named_ids(named, are_ids, "user_id", trained.users.ids.type, reporter)
