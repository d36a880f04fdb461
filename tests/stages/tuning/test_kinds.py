import pandas as pd
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.errors import InputError
from recsparse.stages.runs import runs
from recsparse.stages.tuning.kinds import tune_kinds
from tests.prepared import prepared

ROWS = [(f"u{number % 5}", f"i{number * number % 11}") for number in range(40)]


def test_each_kind_has_the_same_budget_and_a_file_of_its_best(small_dataset, workplace):
    config = load_config(None, ["tuning.trials=4", "model.kind=ease", "model.most_items=999"])
    found = tune_kinds(small_dataset, ["item_knn", "ease", "rating_bias"], "kinds", config)
    table = pd.read_csv(workplace / "kinds" / "kinds.csv", keep_default_na=False)
    assert table["model"].tolist() == found.table["model"].tolist()
    assert table["model"].tolist()[-1] == "rating_bias"
    assert "rating" in table["reason"].tolist()[-1]
    assert table["trials"].tolist()[:2] in (["4", "4"], ["4.0", "4.0"])
    figures = found.table["ndcg@10"].tolist()[:2]
    assert figures == sorted(figures, reverse=True)
    for kind in ("item_knn", "ease"):
        best = load_config(workplace / "kinds" / f"{kind}.toml").model
        trials = found.results[kind].trials
        assert best.kind == kind
        assert trials["ndcg@10"].max() == trials["ndcg@10"][0]
        name = trials.columns[1]
        assert getattr(best, name) == trials[name][0]
    assert load_config(workplace / "kinds" / "ease.toml").model.most_items == 999
    assert not (workplace / "kinds" / "rating_bias.toml").exists()
    # Next to the output, where the runs of all other commands are.
    assert not (workplace / "kinds" / "mlflow.db").exists()
    names = runs(workplace)["name"].tolist()
    assert any(name.startswith("tune-ease-") for name in names), names


def test_kinds_that_all_fail_and_unknown_ones_are_errors(tmp_path, workplace):
    prepared(tmp_path, ROWS, ["split.validation=0.2"], times=[None] * len(ROWS))
    config = load_config(None, ["tuning.trials=2"])
    with pytest.raises(InputError, match=r"at least one search must succeed, but timeline: .*time"):
        tune_kinds(tmp_path / "dataset", ["timeline", "sasrec"], "kinds", config)
    with pytest.raises(InputError, match="got 'easy'; the nearest known is 'ease'"):
        tune_kinds(tmp_path / "dataset", ["ease", "easy"], "others", config)
    assert not (workplace / "others").exists()
