"""The first stage: Parquet logs become a dataset folder."""

from collections.abc import Sequence
from pathlib import Path

from recsparse.config import Config
from recsparse.datasets.dataset import Dataset, build_dataset
from recsparse.datasets.dataset_folder import save_dataset
from recsparse.datasets.items import read_items
from recsparse.datasets.log import InteractionLog
from recsparse.errors import InputError
from recsparse.reporting import SILENT, Reporter


def prepare(
    logs: str | Path | Sequence[str | Path],
    out: str | Path,
    items: str | Path | None = None,
    config: Config | None = None,
    reporter: Reporter = SILENT,
) -> Dataset:
    """Check a log, split it, fit vocabularies, orders and bags of words, and write a dataset.

    Everything that is fitted sees the training rows only.

    Args:
        logs: Parquet files or folders.
        out: The dataset folder to write.
        items: A Parquet file of items with text columns.
        config: Sections `log`, `split`, `text` and `order`.
        reporter: Shows the progress.

    Returns:
        The dataset as written.

    Raises:
        InputError: If the log breaks a rule; nothing is written then.
    """
    config = config or Config()
    if isinstance(logs, Sequence) and not isinstance(logs, str) and not logs:
        raise InputError("prepare needs at least one log, but got none")
    with reporter.task("reading the log"):
        log = InteractionLog.read(logs, config.log)
    with reporter.task("splitting and indexing"):
        table = None
        if items is not None:
            table = read_items(items, config.log.item_column, config.text.columns)
        dataset = build_dataset(log, table, config)
    with reporter.task("writing the dataset"):
        save_dataset(dataset, out)
    return dataset
