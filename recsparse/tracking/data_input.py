"""DataInput: a part of a dataset as MLflow knows it, and which figures are of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException

from recsparse.digest import folder_digest
from recsparse.files.addresses import absolute, last_name
from recsparse.files.filesystems import fetched

# The longest digest that MLflow takes.
DIGEST_LENGTH = 36
# What a part serves for, as MLflow's pages have it.
CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}


@dataclass(frozen=True)
class DataInput:
    """What a run or a model saw of some data.

    Attributes:
        part: `train`, `validation` or `test`.
        name: Name of the folder and of the part, as in `dataset/test`.
        digest: Of all bytes of the folder, the 36 digits that MLflow takes.
        source: Where the folder lies: an absolute path or an address.
        first: Some rows, which show the schema.
        sizes: `num_rows`, `num_users` and the like, of the part.
    """

    part: str
    name: str
    digest: str
    source: str
    first: pd.DataFrame
    sizes: dict[str, int]

    def record(self) -> dict[str, Any]:
        """Return what MLflow is told of it."""
        told = from_pandas(self.first, source=self._source(), name=self.name, digest=self.digest)
        context = CONTEXTS.get(self.part, self.part)
        return {**told.to_dict(), "profile": json.dumps(self.sizes), "context": context}

    def _source(self) -> str | CodeDatasetSource:
        try:
            resolve_dataset_source(self.source)
        except MlflowException:  # a filesystem that MLflow does not know
            return CodeDatasetSource({"mlflow.source.name": self.source})
        return self.source


def data_digest(folder: str | Path) -> str:
    """Return the digest of a dataset folder.

    Args:
        folder: The folder, or its address.

    Returns:
        As many hexadecimal digits as MLflow takes, of all bytes.
    """
    return folder_digest(fetched(folder))[:DIGEST_LENGTH]


def data_input(
    folder: str | Path, part: str, digest: str, first: pd.DataFrame, sizes: dict[str, int]
) -> DataInput:
    """Return a part of a dataset folder as an input of runs.

    Args:
        folder: The folder, or its address.
        part: `train`, `validation` or `test`.
        digest: Of the folder.
        first: Some rows.
        sizes: Of the part.

    Returns:
        The input. MLflow keeps one dataset for each name and digest, so the name has the part.
    """
    name = f"{last_name(folder)}/{part}"
    return DataInput(part, name, digest, absolute(folder), first, sizes)


def part_of_metric(name: str) -> str | None:
    """Return which part of the data a figure is of.

    Args:
        name: The figure's name; that of a network's may stand before it, behind a slash.

    Returns:
        `train`, `validation` or `test`; None for a figure of none of them.

    Example:
        >>> part_of_metric("test_ndcg_at_10"), part_of_metric("2_sasrec/validation_ndcg_at_10")
        ('test', 'validation')
        >>> part_of_metric("fit_seconds")
    """
    part = name.rpartition("/")[2].partition("_")[0]
    return part if part in CONTEXTS else None
