"""Cells of a backtest: what one model with one seed reached on one split, kept as it is known."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.toml_writer import write_toml
from recsparse.errors import OutputError, reason
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.files.atomic import atomic_file, make_folder, remove
from recsparse.outputs.claim import Output, require_own_files

ENDING = ".cells"
_JOB, _KEY = "job.toml", b"recsparse"
_USER, _IS_NEW = "user_id", "is_new"
_OWN = re.compile(
    r"(\.?(cell-\d+-\d+-\d+\.parquet|(job|run)\.toml)(\..*)?|\.?split-\d+(\.|/).*)", re.DOTALL
)


@dataclass(frozen=True)
class Cell:
    """What a model reached on the test part of a split.

    Attributes:
        result: Its figures.
        seconds: How long the fit took.
    """

    result: RankingResult
    seconds: float


class Cells:
    """The working folder of a backtest, next to its output; a killed one goes on from there.

    Args:
        output: The claimed output.
        overwrite: Whether unfinished work of other settings may be removed.

    Raises:
        OutputError: If the folder holds what is not ours, or unfinished work of other settings.
    """

    def __init__(self, output: Output, overwrite: bool) -> None:
        self.folder = output.working_folder(ENDING)
        require_own_files(self.folder, _OWN.fullmatch)
        job, found = output.job.digest, self._job()
        if self.folder.exists() and found != job:
            # Without a job it was killed before it began.
            if found is not None and not overwrite:
                raise OutputError(
                    f"{self.folder} holds an unfinished backtest of another log, of other models "
                    "or other settings; nothing was touched; pass --overwrite to remove it, or "
                    "name another --out"
                )
            remove(self.folder)
        make_folder(self.folder)
        with atomic_file(self.folder / _JOB) as aside:
            write_toml(aside, {"job": job})

    def dataset(self, split: int) -> Path:
        """Return where the dataset of a split is, or is to be."""
        return self.folder / f"split-{split}" / "dataset"

    def has(self, split: int, seed: int, model: int) -> bool:
        """Say whether the cell of a split, a seed and a model is known and whole."""
        path = self._path(split, seed, model)
        try:
            return path.is_file() and bool(self.read(split, seed, model))
        except OutputError:
            return False  # it is made again

    def read(self, split: int, seed: int, model: int) -> Cell:
        """Return the cell of a split, a seed and a model.

        Args:
            split: Number of the split.
            seed: The seed.
            model: Number of the model.

        Returns:
            The cell as it was written.

        Raises:
            OutputError: If it is not there, or damaged.
        """
        path = self._path(split, seed, model)
        try:
            return _cell(pq.read_table(path, page_checksum_verification=True))
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{path} must be as it was written, but {reason(error)}; start the job again"
            ) from error

    def write(self, split: int, seed: int, model: int, cell: Cell) -> None:
        """Keep a cell, whole or not at all.

        Args:
            split: Number of the split.
            seed: The seed.
            model: Number of the model.
            cell: What it reached.
        """
        with atomic_file(self._path(split, seed, model)) as aside:
            pq.write_table(_table(cell), aside, write_page_checksum=True)

    def _path(self, split: int, seed: int, model: int) -> Path:
        return self.folder / f"cell-{split}-{seed}-{model}.parquet"

    def _job(self) -> str | None:
        try:
            return str(tomllib.loads((self.folder / _JOB).read_text(encoding="utf-8"))["job"])
        except (OSError, KeyError, ValueError):
            return None


def user_table(result: RankingResult) -> pa.Table:
    """Return the figures of each user.

    Args:
        result: Whose users are known.

    Returns:
        Columns `user_id`, `is_new` (whether the user has no training row), and a column a metric.
    """
    return pa.table({_USER: result.user_ids, _IS_NEW: pa.array(result.is_new), **result.per_user})


def _table(cell: Cell) -> pa.Table:
    result = cell.result
    about: dict[str, Any] = {
        "coverage": result.coverage,
        "overall": result.overall,
        "num_users": result.num_users,
        "catalogue": result.catalogue,
        "unknown_items": result.unknown_items,
        "rows_of_unknown_items": result.rows_of_unknown_items,
        "seconds": cell.seconds,
    }
    return user_table(result).replace_schema_metadata({_KEY: json.dumps(about)})


def _cell(table: pa.Table) -> Cell:
    about = json.loads(table.schema.metadata[_KEY])
    seconds = float(about.pop("seconds"))
    per_user = {
        name: table[name].to_numpy().astype(np.float64)
        for name in table.column_names
        if name not in (_USER, _IS_NEW)
    }
    ids, is_new = table[_USER].combine_chunks(), table[_IS_NEW].to_numpy()
    return Cell(RankingResult(per_user, **about, user_ids=ids, is_new=is_new), seconds)
