"""Items held out of training: metrics and the dataset."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring.public_data import public_path
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.stages.prepare import prepare

METRICS = ("ndcg@10", "recall@100")


def dataset(seed: int, weighting: str, folder: Path) -> Dataset:
    """Prepare the data with one weighting of words, unless it has been.

    Args:
        seed: Of the held out items.
        weighting: `tfidf` or `bm25`.
        folder: For the log and the dataset.

    Returns:
        The dataset.
    """
    out = folder / weighting
    if not out.exists():
        folder.mkdir(parents=True, exist_ok=True)
        log, items = folder / "log.parquet", public_path("citeulike-t/items.parquet")
        rows = pq.read_table(public_path("citeulike-t/interactions.parquet"))
        ids = rows["item_id"].unique().sort()
        share = np.random.default_rng(seed).permutation(len(ids)) / len(ids)
        names = np.where(share < 0.2, "test", np.where(share < 0.3, "validation", "train"))
        part = names[pa.compute.index_in(rows["item_id"], ids).to_numpy()]
        pq.write_table(rows.append_column("part", pa.array(part)), log)
        overrides = [
            "split.kind=given", f"text.weighting={weighting}", "text.columns=['text']",
            "text.max_words=20000", "text.min_documents=1",
        ]  # fmt: skip
        prepare(Sources(logs=log, items=items), out, config=load_config(overrides=overrides))
    return load_dataset(out)
