import numpy as np
import pandas as pd
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages.evaluate import evaluate
from recsparse.stages.train import train
from tests.conftest import SMALL_NETWORK

PARTS = (
    "model={kind='blend', parts=[{kind='sparse_grid', factors=4, hidden=8, linear='none',"
    " item_iterations=2, training={epochs=4, patience=1, learning_rate=0.1}},"
    " {kind='ease', regularisation=20.0}, {kind='popularity'}]}"
)


def test_popularity_counts_the_validation_rows_after_a_refit(small_dataset, workplace):
    config = load_config(None, ["model.kind=popularity", "refit=true"])
    result = train(small_dataset, "model", config)
    data = load_dataset(small_dataset)
    rows = pd.concat([data.with_ids(part).to_pandas() for part in data.split.all[:2]])
    rows = rows[rows["item_id"].isin(data.items.ids.to_pylist())]
    shares = rows["item_id"].value_counts(normalize=True)
    pairs = pd.DataFrame({"user_id": 0, "item_id": shares.index})
    trained = load_model("model")
    np.testing.assert_allclose(trained.score(pairs), shares, rtol=1e-6)
    assert trained.history.nnz == len(rows.drop_duplicates(["user_id", "item_id"]))
    assert read_model_description("model")["training"]["refit"] is True
    before = train(small_dataset, "before", load_config(None, ["model.kind=popularity"]))
    assert result.validation == before.validation


def test_a_blend_keeps_the_weights_and_epochs_that_validation_found(small_dataset, workplace):
    first = train(small_dataset, "first", load_config(None, [PARTS]))
    again = train(small_dataset, "again", load_config(None, [PARTS, "refit=true"]))
    assert again.model.model.weights == first.model.model.weights
    assert again.model.model.config == first.model.model.config
    settled = load_config("again/settled.toml")
    assert list(settled.model.weights) == first.model.model.weights
    assert [part.kind for part in settled.model.parts] == [
        part.kind for part in first.model.model.parts
    ]
    comparison = evaluate(["again", "first"], small_dataset)
    assert list(comparison.results) == ["again", "first"]
    assert not [path for path in workplace.iterdir() if "checkpoints" in path.name]


def test_the_settled_configuration_trains_the_same_model(small_dataset, workplace):
    first = train(small_dataset, "first", load_config(None, [PARTS]))
    settled = train(small_dataset, "second", load_config("first/settled.toml"))
    states = first.model.model.state(), settled.model.model.state()
    assert states[0].keys() == states[1].keys()
    assert all(states[0][name].equal(states[1][name]) for name in states[0])


def test_the_linear_term_of_the_grid_keeps_its_weight(small_dataset, workplace):
    config = load_config(None, [*SMALL_NETWORK, "refit=true"])
    first = train(small_dataset, "first", load_config(None, list(SMALL_NETWORK)))
    again = train(small_dataset, "again", config)
    assert again.model.model.linear_weight == first.model.model.linear_weight


def test_what_goes_on_from_a_model_is_not_fitted_again(small_dataset, trained_folder, workplace):
    config = load_config(None, ["model.kind=popularity", "refit=true"])
    with pytest.raises(InputError, match="leave refit or --from out"):
        train(small_dataset, "model", config, continue_from=trained_folder / "popularity")
