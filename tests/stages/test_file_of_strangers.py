"""Scored files, and the command line, with users and items that training does not know."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.stages.evaluate_file import evaluate_file
from tests.stages.strangers import evaluated, naive, scored_by, shared


@pytest.mark.parametrize("catalogue", ["all", "known", "common"])
def test_the_scores_of_a_popular_model_in_a_file_give_its_metrics_of_one_list_a_user(
    jobs, tmp_path, catalogue
):
    """Of popularity, users without a history get what the model scores them, too."""
    scored_by(jobs, "popular").to_parquet(tmp_path / "scored.parquet")
    for include in ("known", "all"):
        settings = [f"evaluation.catalogue={catalogue}", f"evaluation.include_users={include}"]
        config = load_config(None, ["evaluation.metrics=['all@5']", *settings])
        found = evaluate_file(tmp_path / "scored.parquet", jobs / "dataset", config)
        expected, lists = naive(jobs, ["popular"], catalogue, include, once=True)
        for metric, values in expected["popular"].items():
            np.testing.assert_allclose(
                sorted(found.per_user[metric]), sorted(values.values()), atol=1e-9
            )
        compared = evaluated(jobs, ["popular"], *settings).results["popular"]
        assert found.part == replace(compared.part, evaluated_lists=len(lists))
        if include == "known":
            assert found.mean() == pytest.approx(compared.mean())
            assert found.coverage == pytest.approx(compared.coverage)
        else:
            assert found.groups().keys() == {"known users", "new users"}


def test_a_file_that_scores_items_without_training_rows_finds_them(jobs, tmp_path):
    rows, trained_items, _ = shared(jobs)
    test = rows["test"]
    test.assign(score=1.0)[["user_id", "item_id", "score"]].to_parquet(tmp_path / "scored.parquet")
    for catalogue, counted in (("all", test), ("new", test[~test["item_id"].isin(trained_items)])):
        config = load_config(
            None, [f"evaluation.catalogue={catalogue}", "evaluation.metrics=['all@20']"]
        )
        found = evaluate_file(tmp_path / "scored.parquet", jobs / "dataset", config)
        assert found.mean()["recall@20"] == 1.0
        assert found.unknown_items == 0
        assert found.part.evaluated_rows == len(counted)


def test_items_that_nobody_knows_take_their_places_unless_the_catalogue_is_known(jobs, tmp_path):
    rows, trained_items, _ = shared(jobs)
    test = rows["test"]
    hits = test[test["item_id"].isin(trained_items)].drop_duplicates("user_id").assign(score=1.0)
    foreign = hits.assign(item_id=777, score=2.0)
    both = pd.concat([hits, foreign])[["user_id", "item_id", "score"]]
    both.to_parquet(tmp_path / "scored.parquet")
    for catalogue, best in (("all", 1 / 2), ("known", 1.0)):
        config = load_config(
            None, [f"evaluation.catalogue={catalogue}", "evaluation.metrics=['all@5']"]
        )
        found = evaluate_file(tmp_path / "scored.parquet", jobs / "dataset", config)
        assert found.per_user["mrr@5"].max() == best


def test_the_command_line_chooses_items_and_users_and_shows_both_groups(jobs, capfd):
    from recsparse.cli.main import app

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(word) for word in words], prog_name="recsparse")
        assert not ended.value.code
        return capfd.readouterr().out

    models = [jobs / "champion", jobs / "challenger"]
    shown = run("evaluate", *models, jobs / "dataset")
    for text in ("known users", "new users", "users without training rows", "unknown items"):
        assert text in shown
    assert "test part, all items" in shown
    assert " lists" in shown
    options = ["--catalogue", "common", "--include-users", "known", "--json"]
    found = json.loads(run("evaluate", *models, jobs / "dataset", *options))
    settings = ["evaluation.catalogue=common", "evaluation.include_users=known"]
    expected = evaluated(
        jobs, ["champion", "challenger"], *settings, "evaluation.metrics=['all@10', 'all@20']"
    )
    for name, result in expected.results.items():
        assert found[name]["ndcg@10"] == pytest.approx(result.mean()["ndcg@10"])
        assert found[name]["users"] == result.num_users
        assert found[name]["catalogue"] == "common"
        assert found[name]["test part"]["unseen_users"] == expected.part.unseen_users
    scored_by(jobs, "popular").to_parquet(jobs / "scored.parquet")
    words = ["evaluate-file", jobs / "scored.parquet", jobs / "dataset"]
    alone = json.loads(run(*words, "--include-users", "new", "--catalogue", "known", "--json"))
    assert alone["users"] == alone["test part"]["evaluated_users"] > 0
    shown = run(*words)
    for text in ("known users", "new users", "users without training rows", "all items"):
        assert text in shown
