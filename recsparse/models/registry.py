"""All models by the kind that the configuration names."""

from typing import Any

from recsparse.models.blend.blend import BlendRecommender
from recsparse.models.content.content_knn import ContentKNN
from recsparse.models.content.text_ridge import TextRidge
from recsparse.models.content.text_tower import TextTower
from recsparse.models.event_networks.sasrec import SASRec
from recsparse.models.event_networks.timeline import TimelineRecommender
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.gf_cf import GFCF
from recsparse.models.linear.ials import IALS
from recsparse.models.linear.item_knn import ItemKNN
from recsparse.models.linear.next_item_ridge import NextItemRidge
from recsparse.models.linear.popularity import Popularity
from recsparse.models.linear.sparse_ease import SparseEASE
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.ratings.rating_bayes import RatingBayes
from recsparse.models.ratings.rating_bias import RatingBias
from recsparse.models.ratings.rating_factors import RatingFactors
from recsparse.models.ratings.rating_grid import RatingGrid
from recsparse.models.row_networks.bpr import BPR
from recsparse.models.row_networks.light_gcn import LightGCN
from recsparse.models.row_networks.mult_vae import MultVAE
from recsparse.models.row_networks.sparse_grid import SparseGridRecommender

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
