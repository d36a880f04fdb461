import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import (
    EASEConfig,
    IALSConfig,
    ItemKNNConfig,
    PopularityConfig,
    SparseEASEConfig,
)
from recsparse.config.models import BlendConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.config.toml_reader import parse_config
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.models.blend import blend
from recsparse.models.blend import weights as blend_weights
from recsparse.models.blend.blend import BlendRecommender
from recsparse.models.blend.default_parts import default_parts
from recsparse.models.blend.weights import best_weights, standardised
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.validation import Validation
from recsparse.testing import PersonalConformance, fitted, log_of, times_of
from recsparse.training.fit import fit_model

PARTS = (
    EASEConfig(regularisation=5),
    IALSConfig(factors=4, iterations=3, regularisation=0.1),
    SparseGridConfig(factors=4, hidden=8, item_iterations=3, regularisation=0.1, linear=None),
)
SMALL = BlendConfig(parts=PARTS)


class TestBlend(PersonalConformance):
    config = SMALL


def ndcg(scores, history, targets):
    return evaluate_ranking(lambda _: scores, history, targets, [3], len(targets.indptr)).per_user[
        "ndcg@3"
    ]


def validation_of(num_users=24, seed=1):
    history, targets = log_of(num_users, seed=seed), log_of(num_users, seed=seed + 1)
    return Validation(history, targets, metric="ndcg@3")


def test_rows_are_brought_to_mean_zero_and_deviation_one():
    scores = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) * 7 + 3
    expected = (scores - scores.mean(1, keepdim=True)) / scores.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(standardised(scores), expected)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e8, 1e-20])
def test_rows_without_a_difference_become_zero(value):
    assert standardised(torch.full((2, 7), value)).tolist() == [[0.0] * 7] * 2


def test_scores_are_the_weighted_sum_of_the_standardised_parts():
    model = fitted(SMALL)
    assert [part.kind for part in model.parts] == ["ease", "ials", "sparse_grid"]
    assert model.weights == [1.0, 1.0, 1.0]
    expected = sum(standardised(part.score_batch(log_of())) for part in model.parts)
    torch.testing.assert_close(model.score_batch(log_of()), expected)


class Fixed(Recommender):
    """Gives the same scores whatever it is asked."""

    kind = "fixed"

    def __init__(self, scores):
        super().__init__(PopularityConfig())
        self.scores = scores

    def score_batch(self, history, times=None):
        return self.scores

    def fit(self, interactions, context=None):
        return self

    def state(self):
        return {}

    @classmethod
    def from_state(cls, config, state):
        raise NotImplementedError


def test_the_weights_found_are_as_good_as_any_two_of_a_grid():
    validation = validation_of()
    generator = torch.Generator().manual_seed(0)
    truth = torch.from_numpy((validation.targets.toarray() > 0).astype(np.float32))
    noisy = [truth + torch.randn(truth.shape, generator=generator) * noise for noise in (1.0, 1.5)]
    parts = [Fixed(scores) for scores in noisy]

    def quality(weights):
        total = sum(
            weight * standardised(scores) for weight, scores in zip(weights, noisy, strict=True)
        )
        return np.nanmean(ndcg(total, validation.history, validation.targets))

    best = max(quality((1.0, weight)) for weight in blend_weights.WEIGHTS)
    found = best_weights(parts, validation)
    assert quality(found) >= best
    assert quality(found) > max(quality((1, 0)), quality((0, 1)))
    assert max(found) == 1.0


def test_parts_are_scored_some_users_at_a_time_while_weights_are_found(monkeypatch):
    validation, log = validation_of(), log_of()
    parts = [EASE(EASEConfig(regularisation=2.0)).fit(log), Popularity(PopularityConfig()).fit(log)]
    expected = best_weights(parts, validation)
    asked = []

    class Watched(EASE):
        def score_batch(self, history, times=None):
            asked.append(history.shape[0])
            return super().score_batch(history, times)

    monkeypatch.setattr(blend_weights, "_BATCH_USERS", 10)
    watched = Watched(EASEConfig(regularisation=2.0)).fit(log)
    assert best_weights([watched, parts[1]], validation) == expected
    assert asked == [10, 10, 4]


def test_a_part_of_no_use_is_dropped_and_the_configuration_says_so():
    log = log_of()
    perfect = torch.from_numpy((log_of(seed=2).toarray() > 0).astype(np.float32))

    class OnlyEase(Validation):
        def of_scores(self, scores, targets):
            # Whatever is added to EASE's scores makes them worse.
            alone = standardised(EASE(PARTS[0]).fit(log).score_batch(self.history))
            unseen = torch.from_numpy(self.history.toarray() == 0)
            return -((scores - alone)[unseen]).square().mean(dim=0, keepdim=True).numpy()

    validation = OnlyEase(log, csr_matrix(perfect.numpy()))
    config = BlendConfig(parts=(PopularityConfig(), PARTS[0], ItemKNNConfig()))
    model = BlendRecommender(config).fit(log, FitContext(validation=validation))
    assert [part.kind for part in model.parts] == ["ease"]
    assert model.weights == [1.0]
    assert model.config.parts == (PARTS[0],)
    again = BlendRecommender.from_state(model.config, model.state())
    assert torch.equal(again.score_batch(log), model.score_batch(log))


def test_of_many_users_some_are_drawn_with_their_times(monkeypatch):
    monkeypatch.setattr(blend_weights, "_MOST_USERS", 5)
    validation = validation_of()
    cells = validation.history
    times = csr_matrix((np.arange(cells.nnz), cells.indices, cells.indptr), shape=cells.shape)
    timed = replace(validation, times=times)
    some = blend_weights.sampled_users(timed, seed=3)
    assert some.history.shape[0] == some.targets.shape[0] == some.times.shape[0] == 5
    assert some.times.nnz == some.history.nnz
    rows = [tuple(row) for row in cells.toarray()]
    drawn = [rows.index(tuple(row)) for row in some.history.toarray()]
    assert drawn == sorted(set(drawn))
    assert (some.targets != validation.targets[drawn]).nnz == 0
    assert blend_weights.sampled_users(validation_of(5), 3).history.shape[0] == 5


def test_each_part_has_a_seed_of_its_own():
    seeds = []

    class Seen(Popularity):
        def fit(self, interactions, context=None):
            seeds.append(context.seed)
            return super().fit(interactions, context)

    config = BlendConfig(parts=(PopularityConfig(), PopularityConfig()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blend, "model_class", lambda kind: Seen)
        BlendRecommender(config).fit(log_of(), FitContext(seed=40))
    assert seeds == [40, 41]


def kinds(num_items=100, has_times=False, has_words=False):
    return [part.kind for part in default_parts(num_items, has_times, has_words)]


def test_models_of_time_are_parts_where_there_are_times():
    assert kinds() == ["sparse_grid", "ials", "gf_cf", "ease"]
    timed = default_parts(100, has_times=True, has_words=False)
    assert [part.kind for part in timed[4:]] == [
        "ease",
        "timeline",
        "popularity",
        "ease",
        "next_item_ridge",
    ]
    assert timed[4].window_events == timed[7].window_events == 32
    assert timed[7].recency_decay < 1
    assert timed[6].recent_days == 90


def test_the_network_of_time_is_held_back_where_items_have_few_events():
    for events, dropout, weight_decay in ((29.9, 0.5, 0.3), (30.0, 0.2, 0.0)):
        parts = default_parts(100, has_times=True, has_words=False, events_per_item=events)
        (timeline,) = (part for part in parts if part.kind == "timeline")
        assert timeline.dropout == dropout
        assert timeline.training.weight_decay == weight_decay


def test_batches_hold_more_users_where_these_are_many_and_have_few_events():
    def batch_users(num_users, events_per_item):
        parts = default_parts(
            100, True, False, num_users=num_users, events_per_item=events_per_item
        )
        (timeline,) = (part for part in parts if part.kind == "timeline")
        return timeline.training.batch_users

    assert batch_users(1_000_000, 30.0) == batch_users(1_000, 29.9) == 64
    assert batch_users(8_000, 29.9) == 100
    assert batch_users(20_480, 29.9) == batch_users(1_000_000, 29.9) == 256


def test_the_next_event_is_predicted_only_where_that_is_asked():
    parts = default_parts(100, has_times=True, has_words=False, looks_ahead=False)
    assert [part.kind for part in parts] == [*kinds(), "ease"]
    assert parts[-1].window_events == 32
    assert parts[-1].recency_decay == 1


def test_models_of_text_are_parts_where_there_is_text():
    assert set(kinds(has_words=True)) - set(kinds()) == {"content_knn", "text_tower"}


def test_no_dense_model_is_a_part_where_there_are_too_many_items():
    slow = {"ease", "sparse_grid"}
    assert slow <= set(kinds(num_items=15_000, has_times=True))
    assert "next_item_ridge" in kinds(num_items=8_000, has_times=True)
    assert "next_item_ridge" not in kinds(num_items=8_001, has_times=True)
    large = kinds(num_items=15_001, has_times=True)
    assert not slow & set(large)
    assert "sparse_ease" in large
    most = SparseEASEConfig().most_pairs
    for pairs, is_there in ((most, True), (most + 1, False)):
        parts = default_parts(15_001, has_times=False, has_words=False, num_pairs=pairs)
        assert ("sparse_ease" in [part.kind for part in parts]) is is_there


def test_the_parts_follow_from_what_there_is():
    training = TrainingConfig(epochs=1, batch_users=8, device="cpu")
    log = log_of()
    context = FitContext(training, times=times_of(log))
    without = fit_model(BlendRecommender(BlendConfig()), log, FitContext(training))
    timed = fit_model(BlendRecommender(BlendConfig()), log, context)
    assert [part.kind for part in without.parts] == kinds()
    assert [part.kind for part in timed.parts] == kinds(has_times=True)
    assert log.nnz < 30 * log.shape[1]
    assert next(part for part in timed.parts if part.kind == "timeline").config.dropout == 0.5
    inside = Validation(log, log_of(seed=2), times_of(log), looks_ahead=False)
    mixed = fit_model(BlendRecommender(BlendConfig()), log, replace(context, validation=inside))
    assert {part.kind for part in mixed.parts} <= {*kinds()}
    assert timed.score_batch(log, times_of(log)).isfinite().all()


def test_parts_that_differ_in_scoring_alone_are_fitted_and_stored_once(monkeypatch):
    """Two EASE of one regularisation, one of them weighted by recency, and one of another."""
    fits, fit = [], EASE.fit
    monkeypatch.setattr(EASE, "fit", lambda self, *args: fits.append(self) or fit(self, *args))
    plain, other = EASEConfig(regularisation=5), EASEConfig(regularisation=50)
    recent = plain.model_copy(update={"recency_decay": 0.5})
    config = BlendConfig(parts=(plain, recent, other))
    model = BlendRecommender(config).fit(log_of())
    assert [part.config for part in fits] == [plain, other]
    state = model.state()
    assert [name for name in state if name != "weights"] == ["parts.0.weights", "parts.2.weights"]
    again = BlendRecommender.from_state(model.config, state)
    times = times_of(log_of())
    parts = [EASE(each).fit(log_of()).score_batch(log_of(), times) for each in config.parts]
    expected = sum(standardised(part) for part in parts)
    for each in (model, again):
        torch.testing.assert_close(each.score_batch(log_of(), times), expected)


def test_a_blend_within_a_blend_is_refused():
    inner = {"kind": "blend", "parts": [{"kind": "ease"}]}
    with pytest.raises(InputError, match="blend"):
        parse_config({"model": {"kind": "blend", "parts": [inner]}})


@pytest.mark.parametrize("parts", [None, PARTS[:2]])
def test_a_state_of_other_parts_is_refused(parts):
    with pytest.raises(InputError, match=r"must name its parts in model\.parts, one for each of 3"):
        BlendRecommender.from_state(BlendConfig(parts=parts), fitted(SMALL).state())


def test_all_pairs_of_parts_blend():
    for pair in itertools.combinations(PARTS[:2], 2):
        model = BlendRecommender(BlendConfig(parts=pair)).fit(log_of())
        assert model.score_batch(log_of()).isfinite().all()
