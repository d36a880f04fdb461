"""Items without training rows in the lists of a test: among themselves, or next to known ones."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import ContentKNNConfig
from recsparse.config.network_models import TextTowerConfig
from recsparse.config.toml_reader import load_config
from recsparse.config.training import TrainingConfig
from recsparse.datasets.features.groups import groups_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.registry import build_model
from recsparse.stages.compared_part import part_to_compare
from recsparse.stages.item_features import item_features
from recsparse.stages.rank_part import evaluate_part
from recsparse.training.fit import fit_model
from tests.prepared import prepared

METRICS = ["all@5", "recall@20"]
QUICK = TrainingConfig(epochs=2, batch_users=16)
CONFIGS = [ContentKNNConfig(), TextTowerConfig(channels=4)]
NUM_USERS, NUM_ITEMS = 40, 60


class KnownAndNew(FittedModel):
    """Scores known items as the model does, and by their features those that follow."""

    def __init__(self, model, data):
        super().__init__(model.config)
        self.model, self.num_known = model, len(data.items)
        new = np.arange(len(data.unseen_items)) + self.num_known
        self.new = Features.of(groups_of(data.item_side, data.item_reviews, new))
        self.items = Vocabulary(pa.concat_arrays([data.items.ids, data.unseen_items.ids]))

    def score_batch(self, history, times=None):
        known = history[:, : self.num_known]
        scores = self.model.score_batch(known), self.model.score_cold(known, None, self.new)
        return torch.cat(scores, dim=1)

    def state(self):
        return self.model.state()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A fifth of the items is held out, and a tenth of the other rows; the table has one more."""
    folder, rng = tmp_path_factory.mktemp("held_out"), np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefghij"), 4)) for _ in range(NUM_ITEMS + 1)]
    table = pa.table({"item_id": range(NUM_ITEMS + 1), "text": texts})
    pq.write_table(table, folder / "items.parquet")
    rows = [
        (user, int(item))
        for user in range(NUM_USERS)
        for item in rng.choice(NUM_ITEMS, 25, replace=False)
    ]
    held_out = ["split.kind=held_out_items", "split.test=0.2", "split.known_targets=0.1"]
    # Words of one letter are words.
    return prepared(folder, rows, [*held_out, "text.analyzer=char"], items=folder / "items.parquet")


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda config: config.kind)
def model(request, data):
    context = FitContext(QUICK, item_features=item_features(data))
    return fit_model(build_model(request.param), data.train_matrix(), context)


def compared(data, model, items, catalogue):
    """Rank the test part as `evaluate` does, and say by which catalogue."""
    settings = [] if catalogue is None else [f"evaluation.catalogue={catalogue}"]
    options = load_config(None, settings).evaluation
    found = part_to_compare(data, "test", options, [items])
    ranked = evaluate_part(
        model, found.part.by_catalogue(items), METRICS, 7, candidates=found.items.chosen(items)
    )
    return found.result(ranked, items)


def test_new_items_among_themselves_have_the_figures_of_a_ranking_of_these_alone(data, model):
    rows = data.split.test.to_pandas()
    new = np.unique(rows["item_index"][rows["item_index"] >= len(data.items)])
    assert len(new) == round(NUM_ITEMS * 0.2) < len(data.unseen_items)
    # Every user has rows of all kinds.
    history = data.evaluation_part("test").history
    features = Features.of(groups_of(data.item_side, data.item_reviews, new.astype(np.int64)))
    scores = model.score_cold(history, None, features)
    targets = np.zeros((NUM_USERS, len(data.items) + len(data.unseen_items)), np.float32)
    targets[rows["user_index"], rows["item_index"]] = 1
    expected = evaluate_ranking(
        lambda _: scores,
        csr_matrix(scores.shape), csr_matrix(targets[:, new]), METRICS, batch_users=NUM_USERS,
    )  # fmt: skip
    both = KnownAndNew(model, data)
    found = compared(data, both, both.items, "new")
    assert (found.catalogue, found.unknown_items) == ("new", 0)
    np.testing.assert_equal(found.per_user, expected.per_user)
    assert (found.coverage, found.num_users) == (expected.coverage, expected.num_users)


def test_known_items_have_the_figures_that_they_have_without_new_ones(data, model):
    both = KnownAndNew(model, data)
    expected = compared(data, model, data.items, "known")
    found = compared(data, both, both.items, "known")
    np.testing.assert_equal(found.per_user, expected.per_user)
    assert found.coverage == expected.coverage
    # As models of known items alone have always been ranked by these targets.
    part = data.evaluation_part("test")
    plain = evaluate_ranking(model.score_batch, part.history, part.targets, METRICS)
    np.testing.assert_equal(found.per_user, plain.per_user)


def test_targets_of_both_kinds_are_in_one_list_where_the_catalogue_is_left_open(data, model):
    both = KnownAndNew(model, data)
    found = compared(data, both, both.items, None)
    assert found.catalogue == "all"
    assert found.part.rows_of_unseen_items < found.part.evaluated_rows == found.part.rows
    np.testing.assert_equal(found.per_user, compared(data, both, both.items, "all").per_user)
    alone = compared(data, model, data.items, None)
    assert alone.rows_of_unknown_items == alone.part.rows_of_unseen_items


def test_lists_longer_than_the_catalogue_are_told(data, caplog):
    for length, messages in ((len(data.items), []), (200, ["lists of 200, as evaluation.metrics"])):
        options = load_config(None, [f"evaluation.metrics=['ndcg@{length}']"]).evaluation
        options = options.model_copy(update={"catalogue": "known"})
        with caplog.at_level(logging.WARNING):
            part_to_compare(data, "test", options, [data.items])
        assert [record.message[:35] for record in caplog.records] == [
            each[:35] for each in messages
        ]


def test_a_result_says_whose_lists_hold_what(data, model):
    found = compared(data, model, data.items, "all")
    rows = data.with_ids(data.split.test).to_pandas().groupby("user_id")["item_id"].agg(set)
    shares = dict.fromkeys(rows.index, 0.0)
    for place, items in zip(found.list_user, found.recommended, strict=True):
        user = found.user_ids[place].as_py()
        best = found.item_ids.take(pa.array(items[:5])).to_pylist()
        shares[user] = len(rows[user] & {*best}) / len(rows[user])
    expected = [shares[user] for user in found.user_ids.to_pylist()]
    assert found.per_user["recall@5"].tolist() == pytest.approx(expected)
    assert found.recommended.shape == (NUM_USERS, 20)
    before = pa.concat_tables([data.split.train, data.split.validation])
    sizes = data.with_ids(before).to_pandas().groupby("user_id")["item_id"].nunique()
    assert found.history_lengths.tolist() == sizes[found.user_ids.to_pylist()].tolist()


def test_a_model_of_known_items_alone_is_refused_among_new_ones(data, model):
    with pytest.raises(InputError, match=r"none of the 12 items of the test part without training"):
        compared(data, model, data.items, "new")
