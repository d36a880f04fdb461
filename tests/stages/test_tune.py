import json
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.config import Config
from recsparse.config.model_section import known_sections
from recsparse.config.toml_reader import load_config
from recsparse.config.trial_settings import checked_space
from recsparse.errors import ConfigError, InputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.stages.train import train
from recsparse.stages.tune import tune
from recsparse.stages.tuning import trial_fits as module

KNN = load_config(None, ["model.kind=item_knn", "evaluation.select_by=ndcg@5"])


def test_every_combination_is_tried_and_the_best_is_what_training_it_gives(
    small_dataset, workplace
):
    space = {"neighbours": [1, 20], "shrinkage": [0.0, 9.0, 99.0]}
    result = tune(small_dataset, KNN, space=space)
    tried = set(zip(result.trials["neighbours"], result.trials["shrinkage"], strict=True))
    assert tried == {(n, s) for n in space["neighbours"] for s in space["shrinkage"]}
    assert result.metric == "ndcg@5"
    figures = result.trials["ndcg@5"].tolist()
    assert figures == sorted(figures, reverse=True)
    assert len(set(figures)) > 1
    best = result.trials.iloc[0]
    chosen = result.config.model
    assert (chosen.neighbours, chosen.shrinkage) == (best["neighbours"], best["shrinkage"])
    trained = train(small_dataset, workplace / "model", result.config)
    assert trained.validation["ndcg@5"] == best["ndcg@5"]


def with_figures(monkeypatch, figures):
    left = iter(figures)

    def validate(model, data, part, config):
        return RankingResult({"ndcg@5": np.array([next(left)])}, {}, 1)

    monkeypatch.setattr(module, "validate", validate)


def test_of_equal_trials_the_first_wins_and_nan_never_does(small_dataset, monkeypatch):
    with_figures(monkeypatch, [np.nan, 0.5, 0.5, 0.25])
    result = tune(small_dataset, KNN, space={"neighbours": [1, 2, 3, 4]})
    assert result.trials["neighbours"].tolist() == [2, 3, 4, 1]
    assert result.config.model.neighbours == 2


def test_a_model_without_settings_is_tried_once(small_dataset):
    result = tune(small_dataset, load_config(None, ["model.kind=popularity"]))
    assert len(result.trials) == 1
    assert result.config.model.kind == "popularity"


def test_the_best_configuration_is_written_and_recorded(small_dataset, workplace):
    tune(small_dataset, KNN, "best.toml", {"neighbours": [3]})
    assert load_config("best.toml").model.neighbours == 3
    assert load_config("best.toml").evaluation.select_by == "ndcg@5"
    store = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    experiment = store.get_experiment_by_name("recsparse").experiment_id
    child, run = store.search_runs([experiment])
    if not run.info.run_name.startswith("tune-item_knn-"):
        child, run = run, child
    assert run.data.params["model.neighbours"] == "3"
    assert "validation_ndcg_at_5" in run.data.metrics
    trials = json.loads(Path(store.download_artifacts(run.info.run_id, "trials.json")).read_text())
    assert trials["columns"] == ["trial", "neighbours", "ndcg@5", "state", "seconds", "reason"]
    assert len(trials["data"]) == 1
    assert child.info.run_name == "trial 1"
    assert child.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert child.data.tags["state"] == "complete"
    assert child.data.params == {"model.kind": "item_knn", "model.neighbours": "3"}
    figure = run.data.metrics["validation_ndcg_at_5"]
    assert child.data.metrics["validation_ndcg_at_5"] == figure
    assert child.data.metrics["seconds"] > 0
    assert (child.info.status, child.info.start_time <= child.info.end_time) == ("FINISHED", True)


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        ({"neighbours": []}, InputError, "must have values, but 'neighbours' has none"),
        ({"neighbors": [3]}, ConfigError, "unknown key 'model.neighbors'.*'neighbours'"),
        ({"neighbours": [0]}, ConfigError, "model.neighbours is wrong"),
    ],
)
def test_a_search_space_that_makes_no_sense_is_refused(
    small_dataset, workplace, space, error, message
):
    with pytest.raises(error, match=message):
        tune(small_dataset, KNN, "best.toml", space)
    assert not (workplace / "best.toml").exists()


def test_every_search_space_is_of_settings_that_its_kind_of_model_knows():
    for section in known_sections().values():
        for name, values in section.search_space.items():
            assert [getattr(section(**{name: value}), name) for value in values] == [*values]
        config = Config(model=section())
        assert checked_space(config, section.search_ranges).keys() == section.search_ranges.keys()
        assert section.search_ranges or section.__name__ == "BlendConfig"


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [(RuntimeError("half-way"), InputError, "FAILED"), (KeyboardInterrupt(), None, "KILLED")],
)
def test_a_search_is_seen_while_it_runs_and_how_it_died(
    small_dataset, workplace, monkeypatch, error, raised, status
):
    store, seen = MlflowClient(f"sqlite:///{workplace}/mlflow.db"), []

    def dying(model, data, part, config):
        experiment = store.get_experiment_by_name("recsparse").experiment_id
        seen.extend(run.info.status for run in store.search_runs([experiment]))
        raise error

    monkeypatch.setattr(module, "validate", dying)
    with pytest.raises(raised or type(error), match="half-way" if raised else None):
        tune(small_dataset, KNN, "best.toml", {"neighbours": [3]})
    experiment = store.get_experiment_by_name("recsparse").experiment_id
    runs = store.search_runs([experiment])
    (run,) = [each for each in runs if each.info.run_name.startswith("tune-item_knn-")]
    assert (seen, run.info.status) == (["RUNNING"], status)
    assert run.info.end_time >= run.info.start_time
    assert run.inputs.dataset_inputs[0].tags[0].value == "validation"
    assert not (workplace / "best.toml").exists()
