"""Ranking metrics of the files of any systems, on a dataset's test part, side by side."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.frames import Tables, as_files
from recsparse.datasets.reading.find_files import Paths
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.evaluation.comparison import Comparison, compare
from recsparse.evaluation.comparison_tables import compared_on
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.report import REPORT, write_report
from recsparse.evaluation.slices_of_part import SlicedPart
from recsparse.files.addresses import last_name
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.compared_part import ComparedPart, part_to_compare
from recsparse.stages.data import load_data
from recsparse.stages.item_titles import item_titles
from recsparse.stages.list_context import list_context, require_context, sampled_negatives
from recsparse.stages.scored_file import ScoredFile

logger = logging.getLogger(__name__)


def evaluate_file(
    scored: Tables,
    dataset: str | Path,
    config: Config | None = None,
    reporter: Reporter = SILENT,
) -> RankingResult:
    """Rank each test user's items by the file of any system.

    Args:
        scored: Files, folders, globs or addresses, or a frame, as `evaluate_files` takes them.
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
    with reporter.task("reading the scores"), as_files(scored=scored) as (paths,):
        files = {"file": ScoredFile.read(paths, data)}
    compared = _part(files, data, config, reporter)
    return _ranked(files["file"], compared, data, config, reporter, dataset)


def evaluate_files(
    scored: Mapping[str, Tables] | Sequence[str | Path],
    dataset: str | Path,
    out: str | Path | None = None,
    config: Config | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
) -> Comparison:
    """Rank each test user's items by the files of several systems, and compare these.

    A file has `user_id` and one of:

    - `item_id` and `score`: integers, floating-point numbers or decimals of any width, compared in
      the type that the file has, never rounded to a smaller one. Items without a score are not
      recommended. Of equal scores, the item that comes first in the dataset's catalogue ranks
      first, after these the test items that training does not know, and then items that the dataset
      does not know, by their ids; of several scores of one pair, the last one counts. Null, NaN and
      −inf are no score; +inf ranks before all numbers.
    - `item_id` and `rank`, the smallest first; a file with scores, too, is read by these.
    - `items`, `item_ids` or `item_id`: a list in each row, the best item first, one row per user.

    Items that the user has seen are left out; those behind them move up.

    `evaluation.catalogue` and `evaluation.include_users` say which items and users count, as in
    `evaluate`; a file stands for a model that knows the items it scores for anyone. It has one set
    of scores per user, and so users without training rows have one list, too: that of what they did
    before their first test row, the first of those that `evaluate` makes. A test user who is in no
    file scores 0; `evaluation.missing_users` says what becomes of those who are in some.

    Args:
        scored: One file a system, by its name; without names, systems go by the names of the files.
            The first is the reference.
        dataset: The dataset folder.
        out: Folder for the report; None writes none.
        config: Section `evaluation`.
        reporter: Shows the progress.
        overwrite: Replace a report on other files, data or settings.

    Returns:
        The comparison.

    Raises:
        SchemaError: If a column is missing, or the scores are no numbers.
        InputError: If no row of a file belongs to a test user and an item of the dataset, files are
            of different users, a list has an item twice, or nothing of the test part is left.
        OutputError: If the output is an input, or not ours to replace.
    """
    config, data = config or Config(), load_data(dataset, reporter)
    given = _by_name(scored)
    tables: dict[str, Any] = {f"scored_{place}": each for place, each in enumerate(given.values())}
    with as_files(None, **tables) as paths:
        files = dict(zip(given, paths, strict=True))
        if out is None:
            return _compared(files, data, dataset, config, reporter)
        job = Job.of("evaluate-file", [*paths, dataset], config.evaluation.model_dump())
        with claim(out, REPORT, job, overwrite, reporter=reporter) as output:
            found = _compared(files, data, dataset, config, reporter)
            with reporter.task("writing the report"):
                title = f"{compared_on(found.results[found.reference])} of {dataset}"
                write_report(output, found, config.evaluation, title)
    return found


def _by_name(scored: Mapping[str, Tables] | Sequence[str | Path]) -> dict[str, Tables]:
    if isinstance(scored, Mapping):
        return {**scored}
    short = [last_name(each).partition(".")[0] for each in scored]
    names = [
        str(each) if short.count(name) > 1 else name
        for name, each in zip(short, scored, strict=True)
    ]
    if len({*names}) != len(names):
        raise InputError(f"files must be different ones, but got {[*map(str, scored)]}")
    return dict(zip(names, scored, strict=True))


def _compared(
    given: Mapping[str, Paths],
    data: Dataset,
    dataset: str | Path,
    config: Config,
    reporter: Reporter,
) -> Comparison:
    with reporter.task("reading the scores"):
        files = {name: ScoredFile.read(paths, data) for name, paths in given.items()}
    compared = _part(files, data, config, reporter)
    sliced = SlicedPart.of(data, "test", compared.part, config.evaluation)
    results = {
        name: _ranked(file, compared, data, config, reporter, dataset)
        for name, file in files.items()
    }
    with reporter.task("comparing"):
        return compare(results, None, sliced, config.seed, item_titles(dataset))


def _part(
    files: Mapping[str, ScoredFile], data: Dataset, config: Config, reporter: Reporter
) -> ComparedPart:
    """Return what all files are compared on."""
    options = config.evaluation
    require_context(data, options.metrics)
    with reporter.task("reading the test part"):
        known = [file.items for file in files.values()]
        compared = part_to_compare(data, "test", options, known, one_list=True)
        has = {name: file.has_user(compared.part) for name, file in files.items()}
        first = next(iter(has.values()))
        if all(np.array_equal(first, other) for other in has.values()):
            return compared
        if options.missing_users == "error":
            _require_same_users(has, compared.part.user_ids)
        if options.missing_users == "zero":
            return compared
        users = compared.part.user_ids.filter(pa.array(_in_all(has)))
        return part_to_compare(data, "test", options, known, one_list=True, users=users)


def _require_same_users(has: Mapping[str, NDArray[np.bool_]], ids: pa.Array) -> None:
    masks = np.array([*has.values()])
    differs = np.flatnonzero(masks.any(axis=0) & ~masks.all(axis=0))
    lacking = [*has][int(np.argmin(masks[:, differs[0]]))]
    raise InputError(
        f"files must have the same test users, but {_counts(has)}; the first that "
        f"differs is user {ids[int(differs[0])].as_py()!r}, whom {lacking} lacks; set "
        "evaluation.missing_users=common to compare them on the users that all have, or zero to "
        "count a missing user as 0"
    )


def _in_all(has: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    common: NDArray[np.bool_] = np.logical_and.reduce([*has.values()])
    if not common.any():
        raise InputError(
            f"files must have a test user in common, but {_counts(has)}, and none is in all; set "
            "evaluation.missing_users=zero to count a missing user as 0"
        )
    return common


def _counts(has: Mapping[str, NDArray[np.bool_]]) -> str:
    counts = [f"{name} has {int(each.sum()):,}" for name, each in has.items()]
    return f"of {len(next(iter(has.values()))):,}, {', '.join(counts)}"


def _ranked(
    file: ScoredFile,
    compared: ComparedPart,
    data: Dataset,
    config: Config,
    reporter: Reporter,
    dataset: str | Path,
) -> RankingResult:
    options, part = config.evaluation, compared.part
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
    result = compared.result(ranked, file.items, items)
    if next(iter(result.mean().values()), None) == 0:
        logger.warning(
            "no list of %s holds a test item of its user; lists that are made from all rows leave "
            "the test items out: make them from the rows before the test, as recsparse recommend "
            "does with --dataset and --history-parts train,validation",
            file.where,
        )
    return result


def _columns(items: Vocabulary, num_known: int, in_file: Vocabulary) -> Vocabulary:
    """Return the catalogue of training and whatever else the file scores, in the order of ties."""
    further = (items.index_of(in_file.ids) < 0).nonzero()[0]
    scored = in_file.index_of(items.ids) >= 0
    scored[:num_known] = True
    # Of a file without scores the ids may be of another type.
    ids = [items.id_of(scored.nonzero()[0]), in_file.id_of(further).cast(items.ids.type)]
    return Vocabulary(pa.concat_arrays(ids))
