"""Trials of networks: pruned after epochs, ended in time, diverging; the test part is not read."""

import math
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset import Dataset
from recsparse.errors import InputError
from recsparse.stages.tune import tune
from recsparse.stages.tuning import search
from tests.conftest import SMALL_NETWORK

NETWORK = (*SMALL_NETWORK, "training.epochs=4", "model.linear=none", "tuning.prune_after=1")
# The rate of 0 learns nothing: what is worse than the median after the free epoch.
RATES = {"training.learning_rate": [3e-2, 2e-2, 1e-2, 5e-3, 4e-2, 1e-9]}


def test_a_network_that_learns_nothing_is_pruned_and_leaves_no_files(
    small_dataset, workplace, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(workplace))
    before = {path.name for path in workplace.iterdir()}
    trials = tune(small_dataset, load_config(None, NETWORK), space=RATES).trials
    assert {path.name for path in workplace.iterdir()} == before
    pruned = trials[trials["training.learning_rate"] == 1e-9].iloc[0]
    assert pruned["state"] == "pruned"
    assert pruned["reason"].startswith("below the median of the trials before after epoch ")
    assert 0 <= pruned["ndcg@10"] <= 1
    assert trials["state"].tolist()[0] == "complete"
    # What was pruned stands behind all that came to their end, whatever its metric.
    assert trials["state"].tolist() == sorted(trials["state"])


def test_without_pruning_all_trials_come_to_their_end(small_dataset):
    config = load_config(None, [*NETWORK, "tuning.prune_after=none"])
    trials = tune(small_dataset, config, space=RATES).trials
    assert set(trials["state"]) == {"complete"}


def test_a_training_that_diverges_is_recorded_and_does_not_end_the_search(small_dataset):
    space = {"training.learning_rate": [1e30, 1e-2]}
    trials = tune(small_dataset, load_config(None, NETWORK), space=space).trials
    assert trials["state"].tolist() == ["complete", "failed"]
    assert math.isnan(trials["ndcg@10"][1])
    assert trials["reason"][1]
    assert trials["training.learning_rate"][0] == 1e-2


def test_a_search_without_a_good_trial_says_why(small_dataset, workplace):
    space = {"training.learning_rate": [1e30]}
    with pytest.raises(InputError, match=r"none of 1 did; the first, training\.learning_rate"):
        tune(small_dataset, load_config(None, NETWORK), "best.toml", space=space)
    assert not Path("best.toml").exists()


def test_a_budget_in_seconds_begins_no_trial_and_ends_a_network_after_its_epoch(
    small_dataset, monkeypatch
):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(search.time, "monotonic", lambda: float(next(clock)))
    config = load_config(None, [*NETWORK, "tuning.seconds=200", "tuning.prune_after=none"])
    trials = tune(small_dataset, config, space=RATES).trials.sort_values("trial")
    assert trials["state"].tolist()[:-1] == ["complete"] * (len(trials) - 1)
    assert trials["state"].tolist()[-1] in ("complete", "pruned")
    assert 1 <= len(trials) < len(RATES["training.learning_rate"])
    last = trials.iloc[-1]
    assert last["state"] == "complete" or last["reason"].startswith("out of time after epoch ")


def test_seconds_of_earlier_starts_count(small_dataset, workplace):
    config = load_config(None, ["model.kind=item_knn", "tuning.trials=3"])
    first = tune(small_dataset, config, "best.toml").trials
    spent = first["seconds"].sum()
    longer = config.model_copy(
        update={"tuning": config.tuning.model_copy(update={"trials": None, "seconds": spent / 2})}
    )
    again = tune(small_dataset, longer, "best.toml").trials
    pd.testing.assert_frame_equal(again, first)


def test_a_larger_budget_goes_on_and_a_fresh_start_begins_anew(small_dataset, workplace):
    config = load_config(None, ["model.kind=item_knn", "tuning.trials=3"])
    first = tune(small_dataset, config, "best.toml").trials
    more = load_config(None, ["model.kind=item_knn", "tuning.trials=5"])
    both = tune(small_dataset, more, "best.toml").trials
    kept = both[both["trial"] <= 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first)
    assert sorted(both["trial"]) == [1, 2, 3, 4, 5]
    fresh = tune(small_dataset, config, "best.toml", fresh=True).trials
    assert fresh.drop(columns="seconds").equals(first.drop(columns="seconds"))
    assert fresh["seconds"].tolist() != first["seconds"].tolist()


def test_the_test_part_is_never_read(small_dataset, monkeypatch):
    read = []
    of_part = Dataset.evaluation_part

    def watched(self, name, *more, **named):
        read.append(name)
        return of_part(self, name, *more, **named)

    monkeypatch.setattr(Dataset, "evaluation_part", watched)
    tune(small_dataset, load_config(None, ["model.kind=item_knn", "tuning.trials=2"]))
    assert read == ["validation"]


def test_the_same_settings_at_another_place_of_the_search_have_the_same_figure(small_dataset):
    config = load_config(None, NETWORK)
    one = tune(small_dataset, config, space={"training.learning_rate": [1e-2, 2e-2]}).trials
    other = tune(small_dataset, config, space={"training.learning_rate": [2e-2, 1e-2]}).trials
    by_rate = [
        dict(zip(each["training.learning_rate"], each["ndcg@10"], strict=True))
        for each in (one, other)
    ]
    assert by_rate[0] == by_rate[1]


def test_trials_of_another_search_are_replaced_only_where_that_is_said(small_dataset, workplace):
    config = load_config(None, ["model.kind=item_knn"])
    tune(small_dataset, config, "best.toml", {"neighbours": [1]})
    Path("best.toml").unlink()
    with pytest.raises(OSError, match="holds those of another dataset, model or search space"):
        tune(small_dataset, config, "best.toml", {"neighbours": [2]}, overwrite=False)
    trials = tune(small_dataset, config, "best.toml", {"neighbours": [2]}, overwrite=True).trials
    assert trials["neighbours"].tolist() == [2]


def test_a_foreign_file_among_the_trials_is_left_alone(small_dataset, workplace):
    Path("best.toml.search").mkdir()
    Path("best.toml.search/notes.txt").write_text("mine")
    config = load_config(None, ["model.kind=item_knn"])
    with pytest.raises(OSError, match=r"notes\.txt"):
        tune(small_dataset, config, "best.toml", {"neighbours": [1]}, fresh=True)
    assert Path("best.toml.search/notes.txt").read_text() == "mine"


def test_the_journal_of_a_search_is_opened_by_optuna_itself(small_dataset, workplace):
    optuna = pytest.importorskip("optuna")
    backend = optuna.storages.journal.JournalFileBackend
    tune(small_dataset, load_config(None, ["model.kind=item_knn", "tuning.trials=3"]), "best.toml")
    storage = optuna.storages.JournalStorage(backend("best.toml.search/trials.journal"))
    study = optuna.load_study(study_name="search", storage=storage)
    assert len(study.trials) == 3
    assert study.best_value == max(trial.value for trial in study.trials)
