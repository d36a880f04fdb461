"""What Optuna draws and keeps: the same trials for the same seed, whatever was killed between."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from recsparse.config.search_space import Range
from recsparse.config.toml_reader import load_config
from recsparse.config.trial_settings import checked_space
from recsparse.errors import InputError, MissingPackageError, OutputError
from recsparse.stages.tune import tune
from recsparse.stages.tuning import study
from recsparse.stages.tuning.study import JOURNAL, StoredTrials
from recsparse.stages.tuning.trials import ListedTrials, Plan, TrialRecord

RANGES = {
    "neighbours": Range(1, 40, log=True, integer=True),
    "shrinkage": Range(0.0, 9.0),
    "asymmetry": (0.1, 0.5),
}
LISTS = {"neighbours": [1, 2, 3], "shrinkage": [0.0, 9.0]}


def quality(settings: Mapping[str, Any]) -> float:
    """Best at 8 neighbours and a shrinkage of 3."""
    return -abs(math.log2(settings["neighbours"]) - 3.0) - abs(settings["shrinkage"] - 3.0)


def worked_off(trials, most: int = 1_000) -> list[dict[str, Any]]:
    tried = []
    while len(tried) < most and (trial := trials.next()) is not None:
        trials.finish(
            TrialRecord(trial.number, trial.settings, "complete", quality(trial.settings), 1.0)
        )
        tried.append(dict(trial.settings))
    return tried


@pytest.mark.parametrize("drawing", ["tpe", "random"])
def test_one_seed_draws_the_same_trials_and_another_seed_others(tmp_path, drawing):
    plan = Plan(RANGES, drawing, trials=25, seed=3)
    first = worked_off(StoredTrials(plan, None, "job"))
    (tmp_path / "a").mkdir()
    assert worked_off(StoredTrials(plan, tmp_path / "a", "job")) == first
    assert worked_off(StoredTrials(Plan(RANGES, drawing, 25, seed=4), None, "job")) != first
    assert len(first) == 25
    for settings in first:
        assert type(settings["neighbours"]) is int
        assert 1 <= settings["neighbours"] <= 40
        assert 0 <= settings["shrinkage"] <= 9
        assert settings["asymmetry"] in (0.1, 0.5)


def test_what_is_configured_is_tried_first_where_it_may_be_drawn():
    config = load_config(None, ["model.kind=ials", "tuning.trials=3", "model.factors=33"])
    space = checked_space(config, config.model.search_ranges)
    first, second, _ = worked_off_settings(StoredTrials(Plan.of(config, space), None, "job"))
    model = config.model
    assert first["factors"] == 33
    assert (first["regularisation"], first["frequency_exponent"]) == (model.regularisation, 1.0)
    # Not set, so drawn.
    assert 0.03 <= first["unobserved_weight"] <= 3
    assert second["regularisation"] != model.regularisation
    network = load_config(None, ["model.kind=mult_vae", "training.learning_rate=0.002"])
    network = network.model_copy(update={"tuning": config.tuning})
    plan = Plan.of(network, {"training.learning_rate": Range(1e-4, 1e-2), "hidden": [1, 2]})
    assert plan.start == {"training.learning_rate": 0.002}


def worked_off_settings(trials):
    tried = []
    while (trial := trials.next()) is not None:
        trials.finish(TrialRecord(trial.number, trial.settings, "complete", 0.5, 1.0))
        tried.append(trial.settings)
    return tried


def test_tpe_finds_more_than_chance():
    means = {}
    for drawing in ("tpe", "random"):
        found = []
        for seed in range(3):
            tried = worked_off(StoredTrials(Plan(RANGES, drawing, 40, seed=seed), None, "job"))
            found += [quality(settings) for settings in tried[20:]]
        means[drawing] = sum(found) / len(found)
    assert means["tpe"] > means["random"] + 0.5


@pytest.mark.parametrize("drawing", ["grid", "tpe", "random"])
@pytest.mark.parametrize("after", [0, 1, 4, 13])
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path, drawing, after):
    space = LISTS if drawing == "grid" else RANGES
    plan = Plan(space, drawing, trials=16, seed=1)
    whole = worked_off(StoredTrials(plan, None, "job"))
    killed = StoredTrials(plan, tmp_path, "job")
    before = worked_off(killed, after)
    interrupted = killed.next()  # and its process is gone
    again = StoredTrials(plan, tmp_path, "job")
    assert again.resume() == len(before)
    assert [*before, *worked_off(again)] == whole
    assert [each.number for each in again.records()] == [*range(len(whole))]
    if interrupted is not None:
        assert dict(again.records()[interrupted.number].settings) == interrupted.settings


def test_half_a_line_of_the_journal_is_left_out(tmp_path):
    plan = Plan(RANGES, "tpe", trials=6)
    whole = worked_off(StoredTrials(plan, None, "job"))
    worked_off(StoredTrials(plan, tmp_path, "job"), 3)
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"op_code": 4, "worker')
    again = StoredTrials(plan, tmp_path, "job")
    assert again.resume() == 3
    worked_off(again)
    assert [dict(each.settings) for each in again.records()] == whole


def test_a_grid_is_tried_in_its_order_like_that_without_optuna():
    plan = Plan(LISTS, "grid")
    tried = worked_off(StoredTrials(plan, None, "job"))
    assert tried == worked_off(ListedTrials(plan))
    assert tried == [{"neighbours": n, "shrinkage": s} for n in (1, 2, 3) for s in (0.0, 9.0)]
    assert worked_off(ListedTrials(Plan(LISTS, "grid", trials=4))) == tried[:4]


@pytest.mark.parametrize("drawing", ["tpe", "random"])
def test_what_is_drawn_from_lists_is_never_tried_twice_and_ends_with_them(drawing):
    space = {**LISTS, "blocks": Range(0, 1, integer=True)}
    tried = worked_off(StoredTrials(Plan(space, drawing), None, "job"))
    assert len(tried) == 3 * 2 * 2
    assert len({json.dumps(settings, sort_keys=True) for settings in tried}) == len(tried)


def test_values_that_are_lists_are_tried_as_they_are():
    space = {"decays": [(0.5, 0.9), (0.3,)], "neighbours": [1], "shrinkage": [3]}
    tried = worked_off(StoredTrials(Plan(space, "random"), None, "job"))
    assert sorted(settings["decays"] for settings in tried) == [(0.3,), (0.5, 0.9)]


def test_two_processes_share_the_trials(tmp_path):
    plan = Plan(LISTS, "grid")
    one, other = StoredTrials(plan, tmp_path, "job"), StoredTrials(plan, tmp_path, "job")
    drawn = [trials.next() for trials in (one, other, one)]
    assert [trial.number for trial in drawn] == [0, 1, 2]
    assert len({json.dumps(trial.settings) for trial in drawn}) == 3
    for trials, trial in zip((one, other, one), drawn, strict=True):
        trials.finish(TrialRecord(trial.number, trial.settings, "complete", 1.0, 1.0))
    assert worked_off(other) == [
        {"neighbours": 2, "shrinkage": 9.0},
        {"neighbours": 3, "shrinkage": 0.0},
        {"neighbours": 3, "shrinkage": 9.0},
    ]
    assert [each.number for each in one.records()] == [*range(6)]


def test_a_trial_whose_process_died_failed(tmp_path):
    trials = StoredTrials(Plan(LISTS, "grid"), tmp_path, "job")
    trial = trials.next()
    StoredTrials(Plan(LISTS, "grid"), tmp_path, "job").give_up(trial.number, "signal 9")
    (record,) = trials.records()
    assert (record.state, record.reason, record.number) == ("failed", "signal 9", 0)
    assert trials.next().number == 1


def test_a_network_is_pruned_below_the_median_after_the_epochs_that_are_free():
    trials = StoredTrials(Plan(LISTS, "grid", prune_after=2), None, "job")
    for level in (0.1, 0.2, 0.3, 0.4, 0.5):
        trial = trials.next()
        assert not any(trials.report(trial, epoch, level) for epoch in range(4))
        trials.finish(TrialRecord(trial.number, trial.settings, "complete", level, 1.0))
    trial = trials.next()
    # The median is .3; epochs 0 and 1 are free.
    assert [trials.report(trial, epoch, 0.29) for epoch in range(3)] == [False, False, True]
    trials.finish(TrialRecord(trial.number, trial.settings, "pruned", 0.29, 1.0, "below"))
    record = trials.records()[-1]
    assert (record.state, record.quality, record.reason) == ("pruned", 0.29, "below")
    assert dict(record.epochs) == dict.fromkeys(range(3), 0.29)


def test_importances_tell_the_setting_that_counts():
    space = {"a": Range(0.0, 1.0), "b": Range(0.0, 1.0)}
    trials = StoredTrials(Plan(space, "random", trials=60), None, "job")
    assert trials.importances() == {}
    while (trial := trials.next()) is not None:
        trials.finish(
            TrialRecord(trial.number, trial.settings, "complete", trial.settings["a"], 1.0)
        )
    shares = trials.importances()
    assert shares["a"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_a_journal_of_another_search_and_a_foreign_file_are_refused(tmp_path):
    plan = Plan(LISTS, "grid")
    StoredTrials(plan, tmp_path, "job")
    with pytest.raises(OutputError, match="holds those of another dataset, model or search space"):
        StoredTrials(plan, tmp_path, "other job")
    (tmp_path / JOURNAL).write_text("no journal\n")
    with pytest.raises(OutputError, match="must hold the trials of a search, but its journal"):
        StoredTrials(plan, tmp_path, "job")


KNN = ("model.kind=item_knn", "evaluation.select_by=ndcg@5")


def test_without_optuna_a_grid_works_and_drawing_says_what_to_install(
    small_dataset, workplace, monkeypatch
):
    with_it = tune(small_dataset, load_config(None, KNN), space=LISTS).trials
    monkeypatch.setattr(study, "optuna", None)
    without = tune(small_dataset, load_config(None, KNN), "best.toml", space=LISTS).trials
    assert without.drop(columns="seconds").equals(with_it.drop(columns="seconds"))
    with pytest.raises(MissingPackageError, match=r"the sampler tpe needs Optuna.*pip install"):
        tune(small_dataset, load_config(None, [*KNN, "tuning.trials=3"]), "best.toml")


@pytest.mark.parametrize(
    ("settings", "space", "message"),
    [
        ([], {"shrinkage": "0..9"}, r"must have an end.*--trials 50.*--seconds 600"),
        (["tuning.sampler=grid"], {"shrinkage": "0..9"}, r"shrinkage has the range 0\.\.9"),
        ([], {"shrinkage": "9..0"}, r"must begin below its end, but is 9\.\.0"),
        ([], {"shrinkage": "3..3"}, "must begin below its end"),
        ([], {"shrinkage": "0..9 log"}, "by logarithm must begin above 0"),
        ([], {"shrinkage": "0..9 steps"}, r"must look like 0\.1\.\.0\.5"),
        ([], {"shrinkage": "-1..9"}, "model.shrinkage is wrong: it must be greater"),
        ([], {"neighbours": "1.5..9"}, "takes whole numbers"),
        ([], {"shrinkagge": "1..9"}, "unknown key 'model.shrinkagge'.*'shrinkage'"),
        ([], {"kind": "1..9"}, "model.kind takes no numbers"),
        ([], {"shrinkage": 3}, "must be tried by a list or a range, but got 3"),
    ],
)
def test_bad_searches_are_refused_before_anything_is_written(
    small_dataset, workplace, settings, space, message
):
    before = {path.name for path in workplace.iterdir()}
    with pytest.raises(InputError, match=message):
        tune(small_dataset, load_config(None, [*KNN, *settings]), "best.toml", space)
    assert {path.name for path in workplace.iterdir()} == before
