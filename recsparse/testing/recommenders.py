"""What every recommender must do, as tests for pytest that the test class of your model inherits.

Example:
    In a test of your own::

        from recsparse.testing import PersonalConformance

        class TestMine(PersonalConformance):
            config = MineConfig()
"""

from typing import ClassVar

import numpy as np
import pytest
import safetensors.torch
import torch
from scipy.sparse import csr_matrix

from recsparse.config.model_section import ModelSection
from recsparse.config.toml_reader import parse_config
from recsparse.errors import InputError
from recsparse.models.content.new_items import WithNewItems, can_rank_new
from recsparse.models.content.placement import Placement
from recsparse.models.protocol.reasons import HasReasons, rows_of_cells
from recsparse.models.protocol.reasons_of_new import HasReasonsForNew
from recsparse.models.protocol.score_vectors import by_vectors
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.user_reader import UserReader
from recsparse.models.registry import build_model, model_class
from recsparse.testing.small_fits import (
    NUM_ITEMS,
    NUM_USERS,
    checkerboard,
    fit,
    fitted,
    log_of,
    raw_parts,
    score,
    times_of,
    words_of,
)


class RecommenderConformance:
    """Inherited by `Test...` classes that set `config`."""

    config: ClassVar[ModelSection]

    def test_its_configuration_survives_the_file(self) -> None:
        settings = {"model": self.config.model_dump(mode="json")}
        assert parse_config(settings).model == self.config
        assert type(build_model(self.config)) is model_class(self.config.kind)

    def test_scores_are_finite_float32_of_all_items_for_each_row(self) -> None:
        scores = score(fitted(self.config), log_of())
        assert scores.shape == (NUM_USERS, NUM_ITEMS)
        assert scores.dtype == torch.float32
        assert scores.isfinite().all()
        assert scores.device.type == "cpu"
        assert not scores.requires_grad

    def test_scores_differ_between_items(self) -> None:
        assert (score(fitted(self.config), log_of()).std(dim=1) > 0).any()

    def test_saved_and_loaded_it_gives_the_same_scores(self) -> None:
        model = fitted(self.config)
        # As a model folder holds it.
        state = {name: value.contiguous() for name, value in model.state().items()}
        stored = safetensors.torch.load(safetensors.torch.save(state))
        again = type(model).from_state(self.config, stored)
        assert torch.equal(score(again, log_of()), score(model, log_of()))
        assert again.num_items == NUM_ITEMS
        assert again.state().keys() == model.state().keys()

    def test_one_row_at_a_time_equals_a_batch(self) -> None:
        model, rows = fitted(self.config), log_of(seed=5)
        one_by_one = torch.cat([score(model, rows[user]) for user in range(NUM_USERS)])
        torch.testing.assert_close(one_by_one, score(model, rows), rtol=1e-4, atol=1e-5)

    def test_products_of_its_vectors_are_its_scores(self) -> None:
        model, rows = fitted(self.config), log_of(seed=5)
        scorer = by_vectors(model)
        if scorer is None:
            pytest.skip("its scores are no products of vectors")
        users, items = scorer.user_vectors(rows, times_of(rows)), scorer.item_vectors()
        assert users.device.type == items.device.type == "cpu"
        assert not users.requires_grad
        assert not items.requires_grad
        torch.testing.assert_close(users @ items.T, score(model, rows), rtol=1e-4, atol=1e-5)

    def test_users_with_features_are_scored_one_at_a_time_as_in_a_batch(self) -> None:
        model, rows = fitted(self.config), log_of(seed=5)
        if not isinstance(model, UserReader):
            pytest.skip("it reads no features of users")
        users, times = words_of(NUM_USERS), times_of(rows)
        scores = model.score_users(rows, times, users)
        assert scores.shape == (NUM_USERS, NUM_ITEMS)
        assert scores.dtype == torch.float32
        assert scores.isfinite().all()
        one_by_one = [
            model.score_users(rows[user], times[user], users.rows(np.array([user])))
            for user in range(NUM_USERS)
        ]
        torch.testing.assert_close(torch.cat(one_by_one), scores, rtol=1e-4, atol=1e-5)
        again = type(model).from_state(model.config, model.state())
        assert isinstance(again, UserReader)
        assert torch.equal(again.score_users(rows, times, users), scores)

    def test_refitting_equals_fitting_anew(self) -> None:
        model = fit(build_model(self.config), log_of(10, 7, seed=3), seed=8)
        fit(model, log_of())
        assert torch.equal(score(model, log_of()), score(fitted(self.config), log_of()))

    def test_saved_and_loaded_it_knows_the_same_similar_items(self) -> None:
        model, items = fitted(self.config), np.array([5, 0, 5])
        if not isinstance(model, HasSimilarItems):
            pytest.skip("it does not know how alike items are")
        found = model.similarities(items)
        assert found.shape == (3, NUM_ITEMS)
        assert found.dtype == torch.float32
        assert found.device.type == "cpu"
        assert not found.requires_grad
        assert found.isfinite().all()
        again = type(model).from_state(model.config, model.state())
        assert isinstance(again, HasSimilarItems)
        assert torch.equal(again.similarities(items), found)
        torch.testing.assert_close(model.similarities(items[:1]), found[:1])
        assert model.similarities(items[:0]).shape == (0, NUM_ITEMS)

    def test_what_events_add_and_the_rest_sum_to_the_scores(self) -> None:
        model, rows = fitted(self.config), log_of(seed=5)
        if not isinstance(model, HasReasons):
            pytest.skip("its scores are no sums over the history")
        listed = torch.from_numpy(np.random.default_rng(1).integers(NUM_ITEMS, size=(NUM_USERS, 3)))
        found = model.contributions(rows, times_of(rows), listed)
        assert found.cells.shape == (rows.nnz, 3)
        assert {each.dtype for each in (found.cells, found.rest, found.explained)} == {
            torch.float32
        }
        assert not (found.cells.requires_grad)
        assert not (found.rest.requires_grad)
        assert ((found.explained >= 0) & (found.explained <= 1)).all()
        total = found.rest.index_add(0, rows_of_cells(rows), found.cells)
        wanted = score(model, rows).gather(1, listed)
        torch.testing.assert_close(total, wanted, rtol=1e-4, atol=1e-4)
        nobody = csr_matrix((0, NUM_ITEMS), dtype=np.float32)
        assert model.contributions(nobody, times_of(nobody), listed[:0]).cells.shape == (0, 3)

    def test_what_events_add_to_new_items_and_the_rest_sum_to_their_scores(self) -> None:
        model, rows = fitted(self.config), log_of(seed=5)
        if not (can_rank_new(model) and isinstance(model, HasReasonsForNew)):
            pytest.skip("it scores no new items, or not by sums over the history")
        new, times = words_of(NUM_ITEMS).rows(np.array([3, 5, 3, 0])), times_of(rows)
        listed = torch.from_numpy(np.random.default_rng(1).integers(4, size=(NUM_USERS, 3)))
        found = model.contributions_to_new(rows, times, listed, new)
        assert found.cells.shape == (rows.nnz, 3)
        wanted = model.score_cold(rows, times, new).gather(1, listed)
        torch.testing.assert_close(found.totals(rows), wanted, rtol=1e-4, atol=1e-4)
        assert ((found.explained >= 0) & (found.explained <= 1)).all()
        in_one_list = WithNewItems(model, new, Placement(shift=0.3, slope=0.7))
        wider, columns = csr_matrix(rows), NUM_ITEMS + new.num_ids
        wider.resize(NUM_USERS, columns)
        listed = torch.from_numpy(np.random.default_rng(2).integers(columns, size=(NUM_USERS, 5)))
        found = in_one_list.contributions(wider, times_of(wider), listed)
        wanted = in_one_list.score_batch(wider, times_of(wider)).gather(1, listed)
        total = found.rest.index_add(0, rows_of_cells(wider), found.cells)
        torch.testing.assert_close(total, wanted, rtol=1e-4, atol=1e-4)

    def test_nobody_gets_no_scores(self) -> None:
        assert score(fitted(self.config), csr_matrix((0, NUM_ITEMS))).shape == (0, NUM_ITEMS)

    def test_a_user_without_interactions_gets_finite_scores(self) -> None:
        scores = score(fitted(self.config), csr_matrix((2, NUM_ITEMS)))
        assert scores.shape == (2, NUM_ITEMS)
        assert scores.isfinite().all()
        assert torch.equal(scores[0], scores[1])

    @pytest.mark.parametrize("dtype", [np.float64, np.int64])
    def test_a_history_of_another_number_type_gives_the_same_scores(self, dtype: type) -> None:
        rows = log_of().ceil()
        scores = score(fitted(self.config), csr_matrix(rows, dtype=dtype))
        assert torch.equal(scores, score(fitted(self.config), rows))

    @pytest.mark.parametrize("width", [0, NUM_ITEMS - 1, NUM_ITEMS + 1])
    def test_a_history_of_the_wrong_width_is_refused(self, width: int) -> None:
        message = f"one column for each of {NUM_ITEMS} items, but has {width}"
        with pytest.raises(InputError, match=message):
            score(fitted(self.config), csr_matrix((1, width)))

    def test_a_model_that_is_not_fitted_is_refused(self) -> None:
        with pytest.raises(InputError, match="must be fitted before it scores; call fit"):
            build_model(self.config).score_batch(log_of())

    @pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (4, 4)])
    def test_no_interaction_is_refused(self, shape: tuple[int, int]) -> None:
        with pytest.raises(InputError, match="at least one interaction, but got none"):
            fit(build_model(self.config), csr_matrix(shape))

    @pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
    def test_negative_and_undefined_weights_are_refused(self, weight: float) -> None:
        with pytest.raises(InputError, match="finite weights that are not negative"):
            fit(build_model(self.config), csr_matrix([[1.0, weight], [1.0, 1.0]]))

    def test_cells_of_weight_zero_teach_nothing(self) -> None:
        dense = log_of().toarray()
        every_cell = np.indices(dense.shape).reshape(2, -1)
        with_zeros = csr_matrix((dense.ravel(), every_cell), shape=dense.shape)
        assert with_zeros.nnz == NUM_USERS * NUM_ITEMS
        model = fit(build_model(self.config), with_zeros)
        assert torch.equal(score(model, log_of()), score(fitted(self.config), log_of()))
        with pytest.raises(InputError, match="at least one interaction, but got none"):
            fit(build_model(self.config), csr_matrix(([0.0], ([0], [0])), shape=(2, 2)))

    def test_fitting_does_not_change_the_interactions(self) -> None:
        """The rows are unsorted and hold item 1 of user 0 twice."""
        twice = csr_matrix(
            (np.ones(4, dtype=np.float32), np.array([1, 0, 1, 1]), np.array([0, 3, 4]))
        )
        before = raw_parts(twice)
        model = fit(build_model(self.config), twice)
        assert raw_parts(twice) == before
        once = csr_matrix(np.array([[1.0, 2], [0, 1]], dtype=np.float32))
        expected = fit(build_model(self.config), once)
        assert torch.equal(score(model, once), score(expected, once))

    def test_one_user_with_one_item_is_enough(self) -> None:
        one = csr_matrix(np.ones((1, 1)))
        scores = score(fit(build_model(self.config), one), one)
        assert scores.shape == (1, 1)
        assert scores.isfinite().all()


class PersonalConformance(RecommenderConformance):
    """Of models whose scores depend on the user's row."""

    def test_it_learns_a_checkerboard(self) -> None:
        log, same, held_out = checkerboard()
        scores = score(fit(build_model(self.config), log), log).numpy()
        for user in range(NUM_USERS):
            assert scores[user][held_out[user]].min() > scores[user][~same[user]].max(), user

    def test_items_of_one_group_of_the_checkerboard_are_alike(self) -> None:
        log, _, _ = checkerboard()
        model, items = fit(build_model(self.config), log), np.arange(NUM_ITEMS)
        if not isinstance(model, HasSimilarItems):
            pytest.skip("it does not know how alike items are")
        found = model.similarities(items).numpy()
        same = items[:, None] % 2 == items % 2
        np.fill_diagonal(found, np.nan)
        assert np.nanmean(found[same]) > np.nanmean(found[~same])

    def test_it_folds_in_users_that_it_never_saw(self) -> None:
        """Three items of one group, together in no row of the fit, call for the group's others."""
        log, _, _ = checkerboard()
        model = fit(build_model(self.config), log)
        for group in (0, 1):
            items = np.arange(NUM_ITEMS)
            known = (items % 2 == group) & (items < 6)
            scores = score(model, csr_matrix(known[None].astype(np.float32))).numpy()[0]
            own = scores[(items % 2 == group) & ~known]
            assert own.min() > scores[items % 2 != group].max()
