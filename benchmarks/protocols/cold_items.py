"""Items held out of training: metrics, the dataset, and how they are ranked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from benchmarks.measuring.public_data import public_path
from recsparse.config.evaluation import EvaluationConfig
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.features.groups import groups_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.models.protocol.features import Features
from recsparse.stages.compared_part import part_to_compare
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


def rank_new(
    data: Dataset, name: str, score_new: Callable[[csr_matrix, Features], Tensor]
) -> RankingResult:
    """Rank the held out items of a part among themselves, as `evaluate --catalogue new` does.

    Args:
        data: The dataset.
        name: `validation` or `test`.
        score_new: Scores items by their features for some rows of the catalogue of training.

    Returns:
        Metrics per user.
    """
    num_known = len(data.items)
    new = Features.of(groups_of(data.item_side, data.item_reviews, slice(num_known, None)))
    items = Vocabulary(pa.concat_arrays([data.items.ids, data.unseen_items.ids]))
    options = EvaluationConfig(catalogue="new", include_users="known")
    compared = part_to_compare(data, name, options, [items])
    lists = compared.part.by_catalogue(items)

    def score(history: csr_matrix) -> Tensor:
        found = score_new(history[:, :num_known], new)
        return torch.cat([found.new_zeros(len(found), num_known), found], dim=1)

    return evaluate_ranking(
        score, lists.history, lists.targets, METRICS, candidates=compared.items.chosen(items)
    )
