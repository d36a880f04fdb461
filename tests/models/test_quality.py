"""Every model against popularity on a public log."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, IALSConfig, ItemKNNConfig, PopularityConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.config.training import TrainingConfig
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model

PARTS = ("train", "test")
PLAN = FitContext(TrainingConfig(epochs=1, device="cpu"))


def parts_of_movielens(folder):
    """The published training rows of the 400 most popular items as histories, the test as targets.

    Fewer items are quicker, and popularity is at its best among them.
    """
    train, test = (pd.read_parquet(folder / "splits" / f"u1_{part}.parquet") for part in PARTS)
    items = pd.Index(train["item_id"].value_counts().index[:400])
    train, test = (rows[rows["item_id"].isin(items)] for rows in (train, test))
    return [
        csr_matrix(
            (
                np.ones(len(rows), dtype=np.float32),
                (rows["user_id"], items.get_indexer(rows.item_id)),
            ),
            shape=(944, 400),
        )
        for rows in (train, test)
    ]


@pytest.mark.parametrize(
    "config",
    [
        ItemKNNConfig(),
        EASEConfig(),
        IALSConfig(factors=16, iterations=3),
        SparseGridConfig(factors=16, hidden=32, item_iterations=2),
    ],
    ids=lambda config: config.kind,
)
def test_every_model_beats_popularity_on_movielens(real_data, config):
    history, targets = parts_of_movielens(real_data / "movielens-100k")

    def quality(config):
        model = fit_model(build_model(config), history, PLAN)
        return evaluate_ranking(model.score_batch, history, targets, ["all@10"]).mean()["ndcg@10"]

    assert quality(config) > 1.4 * quality(PopularityConfig())
