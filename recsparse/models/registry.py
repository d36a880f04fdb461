"""All models by the kind that the configuration names."""

from typing import Any

from recsparse.models.base import Recommender
from recsparse.models.blend import BlendRecommender
from recsparse.models.bpr import BPR
from recsparse.models.content_knn import ContentKNN
from recsparse.models.ease import EASE
from recsparse.models.gf_cf import GFCF
from recsparse.models.ials import IALS
from recsparse.models.item_knn import ItemKNN
from recsparse.models.light_gcn import LightGCN
from recsparse.models.mult_vae import MultVAE
from recsparse.models.next_item_ridge import NextItemRidge
from recsparse.models.popularity import Popularity
from recsparse.models.rating_bayes import RatingBayes
from recsparse.models.rating_bias import RatingBias
from recsparse.models.rating_factors import RatingFactors
from recsparse.models.rating_grid import RatingGrid
from recsparse.models.sasrec import SASRec
from recsparse.models.sparse_ease import SparseEASE
from recsparse.models.sparse_grid import SparseGridRecommender
from recsparse.models.text_ridge import TextRidge
from recsparse.models.text_tower import TextTower
from recsparse.models.timeline import TimelineRecommender

MODEL_CLASSES: dict[str, type[Recommender]] = {
    model.kind: model
    for model in (
        Popularity,
        ItemKNN,
        ContentKNN,
        EASE,
        SparseEASE,
        NextItemRidge,
        IALS,
        GFCF,
        MultVAE,
        LightGCN,
        BPR,
        SparseGridRecommender,
        TextRidge,
        TextTower,
        TimelineRecommender,
        SASRec,
        RatingBias,
        RatingFactors,
        RatingBayes,
        RatingGrid,
        BlendRecommender,
    )
}


def build_model(config: Any) -> Recommender:
    """Make an unfitted model.

    Args:
        config: A model section of the configuration; its `kind` says which model.

    Returns:
        The model.
    """
    return MODEL_CLASSES[config.kind](config)
