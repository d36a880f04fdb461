"""Ranking metrics of any system's scored file, on a dataset's test part."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.datasets.frames import Tables, as_files
from recsparse.datasets.reading.find_files import Paths, named
from recsparse.datasets.reading.roles import Roles
from recsparse.datasets.reading.tables import open_dataset, read_columns, require_columns
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, SchemaError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.compared_part import part_to_compare
from recsparse.stages.data import load_data
from recsparse.stages.list_context import list_context, require_context, sampled_negatives

COLUMNS = ("user_id", "item_id", "score")


def evaluate_file(
    scored: Tables,
    dataset: str | Path,
    config: Config | None = None,
    reporter: Reporter = SILENT,
) -> RankingResult:
    """Rank each test user's items by the scores of a file.

    Items without a score are not recommended; items that the user has seen are left out. Scores
    are compared in the type that the file has, never rounded to a smaller one. Of equal scores, the
    item that comes first in the dataset's catalogue ranks first, after these the test items that
    training does not know, and then items that the dataset does not know, by their ids; of several
    scores of one pair, the last one counts. Null, NaN and −inf are no score; +inf ranks before all
    numbers.

    `evaluation.catalogue` and `evaluation.include_users` say which items and users count, as in
    `evaluate`; the file stands for a model that knows the items it scores for anyone. It has one
    set of scores per user, and so users without training rows have one list, too: that of what they
    did before their first test row, the first of those that `evaluate` makes.

    Args:
        scored: Files, folders, globs or addresses, or a frame of pandas, Polars or Arrow, with
            `user_id`, `item_id` and `score`: integers, floating-point numbers or decimals of any
            width.
        dataset: The dataset folder.
        config: Section `evaluation`.
        reporter: Shows the progress.

    Returns:
        Metrics a user; a test user without a row in the file scores 0.

    Raises:
        SchemaError: If a column is missing, or the scores are no numbers.
        InputError: If no row belongs to a test user and an item of the dataset, or nothing of the
            test part is left.
    """
    config, data = config or Config(), load_data(dataset, reporter)
    options = config.evaluation
    require_context(data, options.metrics)
    with reporter.task("reading the scores"), as_files(scored=scored) as (paths,):
        file = _File.read(paths, data)
    with reporter.task("reading the test part"):
        compared = part_to_compare(data, "test", options, [file.items], one_list=True)
    part = compared.part
    with reporter.task("matching users and items"):
        items = _columns(part.items, part.num_known, file.items)
        given = file.matched(part, items)
        if given is None:
            raise InputError(
                f"{file.where} must score items of the dataset for users with test rows, but none "
                f"of its {file.table.num_rows} rows does; score the users and items of {dataset}"
            )
        aligned = part.by_catalogue(items)
    with reporter.task("ranking", len(part.user_ids)) as advance:
        ranked = evaluate_ranking(
            given.next_batch,
            aligned.history,
            aligned.targets,
            options.metrics,
            options.batch_users,
            advance,
            candidates=compared.items.chosen(items),
            context=list_context(data, items, options.metrics),
            sampled=sampled_negatives(config),
        )
    return compared.result(ranked, file.items)


@dataclass(frozen=True, eq=False)
class _File:
    """What a file of scores holds."""

    where: str
    table: pa.Table
    scores: NDArray[np.float64]
    items: Vocabulary

    @classmethod
    def read(cls, scored: Paths, data: Dataset) -> "_File":
        where, wanted = named(scored), data.items.ids.type
        table = _read(scored, Roles({"user_id": data.users.ids.type, "item_id": wanted}))
        scores = _comparable(table["score"])
        items = Vocabulary.fit(table["item_id"].filter(pa.array(scores > -np.inf)).drop_null())
        if len(items) and items.ids.type != wanted:
            raise InputError(
                f"item_id of {where} must be of the dataset's type, {wanted}, but is "
                f"{items.ids.type}; cast it"
            )
        return cls(where, table, scores, items)

    def matched(self, part: WholePart, items: Vocabulary) -> "_Scores | None":
        """Return the scores of a part's users; None where no item of the dataset has any."""
        row = Vocabulary(part.user_ids).index_of(self.table["user_id"])
        item = items.index_of(self.table["item_id"])
        usable = (row >= 0) & (item >= 0)
        if not (usable & (part.items.index_of(self.table["item_id"]) >= 0)).any():
            return None
        order = np.flatnonzero(usable)[np.lexsort((item[usable], row[usable]))]
        return _Scores(row[order], item[order], self.scores[order])


def _columns(items: Vocabulary, num_known: int, in_file: Vocabulary) -> Vocabulary:
    """Return the catalogue of training and whatever else the file scores, in the order of ties."""
    further = (items.index_of(in_file.ids) < 0).nonzero()[0]
    scored = in_file.index_of(items.ids) >= 0
    scored[:num_known] = True
    # Of a file without scores the ids may be of another type.
    ids = [items.id_of(scored.nonzero()[0]), in_file.id_of(further).cast(items.ids.type)]
    return Vocabulary(pa.concat_arrays(ids))


class _Scores:
    """Hands out given scores batch by batch, −inf where there is none, in the order of the rows."""

    def __init__(self, row: np.ndarray, item: np.ndarray, values: np.ndarray) -> None:
        self.row, self.item, self.values = row, item, values
        self.done = 0

    def next_batch(self, history: csr_matrix) -> torch.Tensor:
        first, last = np.searchsorted(self.row, [self.done, self.done + history.shape[0]])
        scores = np.full(history.shape, -np.inf)
        scores[self.row[first:last] - self.done, self.item[first:last]] = self.values[first:last]
        self.done += history.shape[0]
        return torch.from_numpy(scores)


def _comparable(scores: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return numbers in the order of the scores, −inf where there is none.

    What float64 holds stays as it is. Integers of 64 bits and decimals become their place among the
    distinct scores, a whole number up to the number of rows.
    """
    kind = scores.type
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and kind.bit_width < 64):
        values: NDArray[np.float64] = scores.cast(pa.float64()).to_numpy()
        return np.where(np.isnan(values), -np.inf, values)
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        scores = scores.cast(pa.decimal128(kind.precision, kind.scale))  # Arrow ranks no smaller
    place = pc.rank(scores, sort_keys="ascending", tiebreaker="dense").to_numpy()
    return np.where(scores.is_null().to_numpy(), -np.inf, place)


def _read(scored: Paths, roles: Roles) -> pa.Table:
    source, where = open_dataset(scored, roles=roles), named(scored)
    require_columns(source, where, COLUMNS)
    table = read_columns(source, COLUMNS)
    place = table.schema.get_field_index("score")
    if pa.types.is_dictionary(table["score"].type):
        table = table.set_column(
            place, "score", table["score"].cast(table["score"].type.value_type)
        )
    found = table["score"].type
    kinds = pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal
    if not any(kind(found) for kind in kinds):
        raise SchemaError(f"the column 'score' of {where} must hold numbers, but holds {found}")
    return table
