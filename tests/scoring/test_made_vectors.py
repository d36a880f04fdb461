"""Vectors of users in the model folder: those that folding in gives, of the very rows there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, IALSConfig
from recsparse.config.network_models import MultVAEConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import ModelFolderError
from recsparse.scoring.made_vectors import bytes_of_vectors
from recsparse.scoring.model_folder import check_model, load_model, save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory
from recsparse.testing.small_fits import NUM_ITEMS, NUM_USERS, fitted, log_of
from tests.scoring.test_model_content import signed

IALS = IALSConfig(factors=4, iterations=2)
CONFIGS = [IALS, MultVAEConfig(hidden=4, latent=2)]
PAIRS = pd.DataFrame(
    [(user, item) for user in range(NUM_USERS) for item in range(NUM_ITEMS)],
    columns=["user_id", "item_id"],
)


def trained_of(config):
    users, items = (Vocabulary.fit([*range(size)]) for size in (NUM_USERS, NUM_ITEMS))
    return TrainedModel(fitted(config), users, items, RowsInMemory(log_of()))


def saved(config, folder):
    trained = trained_of(config)
    save_model(trained, folder)
    return trained, load_model(folder)


def without_folding_in(loaded, monkeypatch):
    def user_vectors(*known):
        raise AssertionError(f"folded in {known[0].shape[0]} users")

    monkeypatch.setattr(loaded.model, "user_vectors", user_vectors)
    return loaded


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_stored_vectors_score_as_folding_in_does(config, tmp_path, monkeypatch):
    trained, loaded = saved(config, tmp_path / "model")
    expected = trained.score(PAIRS)
    found = without_folding_in(loaded, monkeypatch).score(PAIRS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    lists, others = loaded.recommend(k=3), trained.recommend(k=3)
    np.testing.assert_allclose(lists["score"], others["score"], rtol=1e-5, atol=1e-6)
    check_model(tmp_path / "model")


@pytest.mark.parametrize("config", [EASEConfig(), IALS.model_copy(update={"store_vectors": False})])
def test_models_without_vectors_and_those_that_are_to_store_none_have_none(config, tmp_path):
    trained, loaded = saved(config, tmp_path / "model")
    assert "vectors" not in load_file(tmp_path / "model" / "history.safetensors")
    assert bytes_of_vectors(trained.model, NUM_USERS) == 0
    assert not loaded.rows.vectors(loaded.model, np.arange(NUM_USERS))[0].any()


def test_vectors_are_float32_and_of_the_size_that_is_told(tmp_path):
    trained, _ = saved(IALS, tmp_path / "model")
    vectors = load_file(tmp_path / "model" / "history.safetensors")["vectors"]
    assert (vectors.dtype, vectors.shape) == (np.float32, (NUM_USERS, 4))
    assert vectors.nbytes == bytes_of_vectors(trained.model, NUM_USERS)


def test_users_whose_rows_are_replaced_are_folded_in_anew(tmp_path):
    trained, loaded = saved(IALS, tmp_path / "model")
    rows = pd.DataFrame({"user_id": [1, 1, NUM_USERS], "item_id": [0, 2, 3]})
    found, expected = loaded.with_history(rows), trained.with_history(rows)
    is_stored, _ = found.rows.vectors(found.model, np.arange(-1, NUM_USERS + 1))
    assert np.flatnonzero(~is_stored).tolist() == [0, 2, NUM_USERS + 1]
    pairs = pd.concat([PAIRS, rows])
    np.testing.assert_allclose(found.score(pairs), expected.score(pairs), rtol=1e-5, atol=1e-6)
    assert found.score(rows)[0] != loaded.score(rows[:1])[0]


def test_another_model_in_the_place_of_the_one_that_made_them_folds_in(tmp_path):
    _, loaded = saved(IALS, tmp_path / "model")
    other = fitted(IALS.model_copy(update={"regularisation": 0.5}))
    found = replace(loaded, model=other).score(PAIRS)
    expected = replace(trained_of(IALS), model=other).score(PAIRS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_changed_history_is_saved_with_vectors_of_its_own(tmp_path):
    _, loaded = saved(IALS, tmp_path / "model")
    changed = loaded.with_history(pd.DataFrame({"user_id": [1, 1], "item_id": [0, 2]}))
    save_model(changed, tmp_path / "changed")
    again = load_model(tmp_path / "changed")
    _, vectors = again.rows.vectors(again.model, np.array([1]))
    rows = csr_matrix(([1.0, 1.0], [0, 2], [0, 2]), shape=(1, NUM_ITEMS), dtype=np.float32)
    expected = again.model.user_vectors(rows)
    torch.testing.assert_close(torch.from_numpy(vectors), expected, rtol=1e-5, atol=1e-6)


def test_the_rows_and_vectors_of_another_model_are_refused(tmp_path):
    saved(IALS, tmp_path / "model")
    other = replace(trained_of(IALS), model=fitted(IALS.model_copy(update={"iterations": 3})))
    save_model(other, tmp_path / "other")
    name = "history.safetensors"
    (tmp_path / "model" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(ModelFolderError, match="made by the weights that are there"):
        load_model(signed(tmp_path / "model"))


@pytest.mark.parametrize("change", [lambda old: old[:-1], lambda old: old[:, :-1].copy()])
def test_vectors_of_other_sizes_are_refused(tmp_path, change):
    saved(IALS, tmp_path / "model")
    path = tmp_path / "model" / "history.safetensors"
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
    arrays = load_file(path)
    save_file(arrays | {"vectors": change(arrays["vectors"])}, path, about)
    with pytest.raises(ModelFolderError, match="vectors of users must be"):
        load_model(signed(tmp_path / "model"))


def test_damage_among_the_vectors_is_found_when_they_are_read_and_by_the_whole_check(tmp_path):
    saved(IALS, tmp_path / "model")
    path = tmp_path / "model" / "history.safetensors"
    whole, vectors = path.read_bytes(), load_file(path)["vectors"]
    place = whole.index(vectors.tobytes())
    path.write_bytes(whole[: place + 9] + bytes([whole[place + 9] ^ 1]) + whole[place + 10 :])
    with pytest.raises(ModelFolderError, match="damaged"):
        check_model(tmp_path / "model")
    with pytest.raises(ModelFolderError, match="damaged"):
        load_model(tmp_path / "model").score(PAIRS)
