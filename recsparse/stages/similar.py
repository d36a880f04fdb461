"""Which items are most like others, by what a model knows of them."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from recsparse.datasets.frames import Table, Tables, like
from recsparse.datasets.id_types import Ids
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.list_jobs import similar_to_items
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.load import locate
from recsparse.stages.start_of_scores import HistoryOptions, early_checked, loaded, named_ids


def similar(
    model: str | Path,
    out: str | Path | None = None,
    items: Ids | Table | None = None,
    k: int = 10,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
    new_items: Tables | None = None,
) -> Any:
    """Write the k items that are most like each item; a killed job resumes where it stopped.

    Args:
        model: A model folder or an MLflow address.
        out: A Parquet file or a folder of parts; None returns a frame.
        items: Ids: a list, an array, or a column of pandas, Polars or Arrow; or a file, a folder, a
            glob, an address or a frame with a column `item_id`. None means all items of the model.
        k: Length of each list.
        reporter: Shows the progress.
        overwrite: Replace lists of other items, another model or another length.
        new_items: A table of items that came after the training, as `prepare` takes it: they get
            lists, and are in those of known items, by their features.

    Returns:
        The number of items; without `out`, a frame with the columns of
        `TrainedModel.similar_items`: of Polars or Arrow where the items are, else of pandas.

    Raises:
        InputError: If the model does not know how alike items are.
        UnknownIdError: If an item is unknown.
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
    """
    start = HistoryOptions(new_items=new_items)
    if out is None:
        trained, _ = loaded(locate(model, reporter=reporter), start, reporter)
        found = trained.similar_items(_ids(items, trained, reporter), k)
        return like(pa.Table.from_pandas(found, preserve_index=False), items)
    file = items if isinstance(items, (str, Path)) else None
    folder, inputs = early_checked(out, model, start, file, reporter)
    trained, _ = loaded(folder, start, reporter)
    batch = BatchOptions(reporter=reporter, overwrite=overwrite, inputs=inputs)
    return similar_to_items(trained, out, k, _ids(items, trained, reporter), batch)


def _ids(items: Any, trained: TrainedModel, reporter: Reporter) -> pa.Array:
    if items is None:
        return trained.items.ids
    are_ids = not isinstance(items, (str, Path))
    return named_ids(items, are_ids, "item_id", trained.items.ids.type, reporter)
