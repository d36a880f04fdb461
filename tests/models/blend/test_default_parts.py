from dataclasses import replace

from recsparse.config.linear_models import SparseEASEConfig
from recsparse.config.models import BlendConfig
from recsparse.config.training import TrainingConfig
from recsparse.models.blend.blend import BlendRecommender
from recsparse.models.blend.default_parts import default_parts
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.validation import Validation
from recsparse.testing import log_of, times_of
from recsparse.training.fit import fit_model


def kinds(num_items=100, has_times=False, has_features=False):
    return [part.kind for part in default_parts(num_items, has_times, has_features)]


def test_models_of_time_are_parts_where_there_are_times():
    assert kinds() == ["sparse_grid", "ials", "gf_cf", "ease"]
    timed = default_parts(100, has_times=True, has_features=False)
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
        parts = default_parts(100, has_times=True, has_features=False, events_per_item=events)
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
    parts = default_parts(100, has_times=True, has_features=False, looks_ahead=False)
    assert [part.kind for part in parts] == [*kinds(), "ease"]
    assert parts[-1].window_events == 32
    assert parts[-1].recency_decay == 1


def test_models_of_text_are_parts_where_there_is_text():
    assert set(kinds(has_features=True)) - set(kinds()) == {"content_knn", "text_tower"}


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
        parts = default_parts(15_001, has_times=False, has_features=False, num_pairs=pairs)
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
