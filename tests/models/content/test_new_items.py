"""New items behind the known ones: scores of the known ones stay, new ones depend on none other."""

import numpy as np
import pytest
import torch

from recsparse.config.linear_models import ContentKNNConfig, EASEConfig, PopularityConfig
from recsparse.config.models import BlendConfig
from recsparse.errors import InputError
from recsparse.models.content.new_items import WithNewItems, base_of
from recsparse.models.content.placement import Placement
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.cold_scorer import ColdScorer
from recsparse.models.protocol.features import Features
from recsparse.testing import fit, fitted, log_of, words_of


class Quiet(EASE, ColdScorer):
    """Scores new items by how many words they share with the history, and gives no reasons."""

    def score_cold(self, history, times, items):
        return torch.from_numpy(
            np.asarray((history @ words_of(12).sparse()) @ items.sparse().T.toarray())
        )


BLEND = BlendConfig(parts=(ContentKNNConfig(), PopularityConfig()), weights=(1.0, 0.5))
HIGH = Placement(shift=0.5, slope=2.0)


def wider(log, columns):
    rows = log.tocoo()
    rows.resize(log.shape[0], log.shape[1] + columns)
    return rows.tocsr()


@pytest.mark.parametrize("config", [ContentKNNConfig(), BLEND])
def test_known_items_keep_their_scores_and_new_ones_follow_them(config):
    base, log = fitted(config), log_of()
    model = WithNewItems(base, words_of(12).rows(np.array([3, 5])), HIGH)
    scores = model.score_batch(wider(log, 2))
    assert model.num_items == base.num_items + 2
    torch.testing.assert_close(scores[:, :-2], base.score_batch(log), rtol=0, atol=0)
    known, z = base.score_with_new(log, None, words_of(12).rows(np.array([3, 5])))
    mean, deviation = known.mean(dim=1), known.std(dim=1, correction=0)
    spread = z.any(dim=1)
    expected = mean + deviation * (0.5 + 2.0 * z[:, 1])
    torch.testing.assert_close(scores[spread, -1], expected[spread], rtol=1e-4, atol=1e-5)
    assert base_of(model) is base


@pytest.mark.parametrize("config", [ContentKNNConfig(), BLEND])
def test_the_score_of_a_new_item_depends_on_no_other_new_item(config):
    base, log = fitted(config), log_of()
    alone = WithNewItems(base, words_of(12).rows(np.array([5])), HIGH).score_batch(wider(log, 1))
    among = WithNewItems(base, words_of(12), HIGH).score_batch(wider(log, 12))
    torch.testing.assert_close(alone[:, -1], among[:, -7])


def test_rows_of_new_items_in_the_history_do_not_change_the_scores():
    base, log = fitted(ContentKNNConfig()), log_of()
    model = WithNewItems(base, words_of(12), HIGH)
    seen = wider(log, 12).tolil()
    seen[:, -1] = 5.0
    torch.testing.assert_close(
        model.score_batch(seen.tocsr()), model.score_batch(wider(log, 12)), rtol=0, atol=0
    )


def test_without_a_history_no_new_item_stands_before_a_known_one():
    base, log = fitted(BLEND), log_of()
    log = log[:1] * 0
    log.eliminate_zeros()
    scores = WithNewItems(base, words_of(12), Placement(shift=9.0)).score_batch(wider(log, 12))
    assert scores[0, -12:].max() <= scores[0, :-12].min()
    assert scores.isfinite().all()


def test_a_model_without_a_reader_says_so_with_the_cure():
    with pytest.raises(InputError, match=r"read.* features.*--items"):
        WithNewItems(fitted(PopularityConfig()), words_of(12), HIGH)
    blend = fitted(BlendConfig(parts=(PopularityConfig(),), weights=(1.0,)))
    with pytest.raises(InputError, match="the model is blend of popularity"):
        WithNewItems(blend, words_of(12), HIGH)


def test_other_new_items_or_another_place_give_another_digest():
    base = fitted(ContentKNNConfig())
    models = [
        WithNewItems(base, words_of(12), HIGH),
        WithNewItems(base, words_of(12), Placement()),
        WithNewItems(base, words_of(12).rows(np.arange(11)), HIGH),
    ]
    assert len({base.digest(), *(model.digest() for model in models)}) == 4
    assert models[0].digest() == WithNewItems(base, words_of(12), HIGH).digest()


def test_a_blend_drops_readers_that_count_nothing_once_they_are_weighed():
    config = BlendConfig(
        parts=(ContentKNNConfig(), ContentKNNConfig(word_exponent=0.5), PopularityConfig()),
        weights=(0.0, 0.0, 1.0),
    )
    blend = fitted(config)
    assert [part.kind for part in blend.parts] == ["content_knn", "content_knn", "popularity"]
    before = blend.score_batch(log_of())
    blend.weigh_readers([0.0, 1.0])
    assert [part.config.word_exponent for part in blend.readers()] == [0.5]
    assert blend.new_weights == [1.0, 0.0]
    torch.testing.assert_close(blend.score_batch(log_of()), before, rtol=0, atol=0)
    again = type(blend).from_state(blend.config, blend.state())
    found, expected = (each.score_with_new(log_of(), None, words_of(12)) for each in (again, blend))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    refit = fitted(blend.settled())
    assert refit.new_weights == blend.new_weights
    blend.weigh_readers([0.0])
    assert [part.kind for part in blend.parts] == ["popularity"]
    assert isinstance(blend.parts[0], Popularity)


def test_features_of_no_item_rank_none():
    base, log = fitted(ContentKNNConfig()), log_of()
    model = WithNewItems(base, Features(words_of(12).groups, 12).rows(np.arange(0)), HIGH)
    torch.testing.assert_close(model.score_batch(log), base.score_batch(log), rtol=0, atol=0)


def test_of_new_items_without_reasons_nothing_is_explained_and_sums_are_the_scores():
    log = log_of()
    base = fit(Quiet(EASEConfig(regularisation=5)), log)
    model, rows = WithNewItems(base, words_of(12), HIGH), wider(log, 12)
    listed = torch.tensor([[0, 15, 3]]).repeat(log.shape[0], 1)
    found = model.contributions(rows, None, listed)
    torch.testing.assert_close(
        found.totals(rows), model.score_batch(rows).gather(1, listed), rtol=1e-4, atol=1e-4
    )
    of_known = base.contributions(log, None, listed[:, [0, 2]])
    assert torch.equal(found.cells[:, [0, 2]], of_known.cells)
    assert not found.cells[:, 1].any()
    assert found.explained[0].tolist() == [1, 0, 1]
