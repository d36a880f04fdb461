import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import Epochs, Job, paired, summary, with_misses
from benchmarks.protocols.contenders import CONTENDERS, Contender
from benchmarks.protocols.curves import plot_curves
from benchmarks.protocols.protocols import PROTOCOLS, Protocol
from recsparse.config.config import Config
from recsparse.config.linear_models import EASEConfig
from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.fit_rows import rows_to_fit
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.popularity import Popularity
from recsparse.models.registry import build_model

METRICS = ("ndcg@10", "recall@20")


@pytest.fixture
def job(tmp_path, small_dataset, monkeypatch):
    """A job on the small dataset."""
    monkeypatch.setattr(Protocol, "dataset", lambda *_: load_dataset(small_dataset))

    def job(**settings):
        return Job(Protocol("none.parquet", (), METRICS, **settings), 0, tmp_path)

    return job


def test_every_contender_is_a_model_of_a_known_protocol():
    assert CONTENDERS.keys() == PROTOCOLS.keys()
    for contenders in CONTENDERS.values():
        for contender in contenders.values():
            build_model(Config.model_validate({"model": dict(contender.model)}).model)


def test_a_model_is_measured_with_the_settings_that_are_best_on_validation(job):
    space = {"regularisation": (1.0, 30.0, 1000.0), "popularity_exponent": (0.0, 1.0)}
    one = job()
    one.measure("ease", Contender({"kind": "ease"}, space))
    found = pd.read_parquet(one.result("ease"))
    data = one.protocol.dataset(0, one.folder)
    part = data.evaluation_part("validation")
    quality = {}
    for regularisation, exponent in itertools.product(*space.values()):
        config = EASEConfig(regularisation=regularisation, popularity_exponent=exponent)
        model = EASE(config).fit(data.train_matrix())
        ranked = evaluate_ranking(model.score_batch, part.history, part.targets, ["ndcg@10"])
        quality[config] = ranked.mean()["ndcg@10"]
    best = max(quality, key=quality.__getitem__)
    assert load_config(one.result("ease").with_suffix(".toml")).model == best
    assert found["validation"].tolist() == pytest.approx([quality[best]] * len(found))
    test = data.evaluation_part("test")
    model = EASE(best).fit(data.train_matrix())
    ranked = evaluate_ranking(model.score_batch, test.history, test.targets, ["ndcg@10"])
    np.testing.assert_allclose(found["ndcg@10"], ranked.per_user["ndcg@10"])
    one.draw(["ease"], one.folder / "curves.png")
    assert (one.folder / "curves.png").stat().st_size > 0


def test_where_the_protocol_says_so_models_are_fitted_again(job, monkeypatch):
    fits = []
    fit = Popularity.fit
    monkeypatch.setattr(
        Popularity,
        "fit",
        lambda self, log, context: fits.append(log.nnz) or fit(self, log, context),
    )
    again = job(refits=True)
    again.measure("popularity", Contender({"kind": "popularity"}))
    data = again.protocol.dataset(0, again.folder)
    expected = [rows_to_fit(data, refit).interactions.nnz for refit in (False, True)]
    assert fits == expected
    assert load_config(again.result("popularity").with_suffix(".toml")).refit
    assert not load_config(again.result("popularity").with_suffix(".settled.toml")).refit


def test_users_whose_item_nobody_knows_are_misses(job, monkeypatch):
    table = pd.DataFrame({"ndcg@10": [0.5, 0.25]})
    assert with_misses(table, 2)["ndcg@10"].tolist() == [0.5, 0.25, 0.0, 0.0]
    one = job(counts_unseen=True)
    data = one.protocol.dataset(0, one.folder)
    known = len(data.evaluation_part("test").user_ids)
    counts = {**data.counts, "test_rows_of_unseen_items": 3}
    monkeypatch.setattr(Protocol, "dataset", lambda *_: replace(data, counts=counts))
    one.measure("popularity", Contender({"kind": "popularity"}))
    found = pd.read_parquet(one.result("popularity"))
    assert len(found) == known + 3
    assert (found[[*METRICS]].iloc[known:] == 0).all(axis=None)


def test_epochs_count_those_of_a_network_alone():
    epochs = Epochs(0.0)
    epochs.add(0, {"train_loss": 1.0, "validation_ndcg": 0.25})
    epochs.add(0, {"0_timeline/validation_ndcg": 0.5})
    assert epochs.frame()["quality"].tolist() == [0.25]


def test_a_model_without_epochs_is_a_point():
    curves = {"network": pd.DataFrame({"cpu_seconds": [1.0, 2.0], "quality": [0.1, 0.2]})}
    figure = plot_curves(curves, {"network": (2.0, 0.2), "ease": (0.0, 0.15)}, "ndcg@10")
    (axes,) = figure.axes
    assert [[*line.get_xdata()] for line in axes.lines] == [[1.0, 2.0], [2.0], [0.1]]
    assert {text.get_text() for text in axes.texts} == {"network", "ease"}


def test_tables_hold_means_errors_and_paired_tests():
    users = np.arange(1.0, 41.0)
    found = {
        "recsparse": [pd.DataFrame({"ndcg@10": users * 2, "recall@20": users, "cpu_seconds": 3.0})],
        "ease": [pd.DataFrame({"ndcg@10": users, "recall@20": users, "cpu_seconds": 1.0})],
    }
    protocol = Protocol("none.parquet", (), METRICS)
    table = summary(found, protocol).set_index("model")
    error = users.std(ddof=1) / 40**0.5
    assert table.loc["ease", "ndcg@10"] == f"20.5000 ± {error:.4f}"
    (row,) = paired(found, protocol, "recsparse").to_dict("records")
    assert (row["over"], row["ratio"]) == ("ease", "2.000")
    assert float(row["largest p"]) < 1e-10
