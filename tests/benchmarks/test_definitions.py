import json
import sys

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from benchmarks.definitions import (
    LIBRARIES,
    ORDERS,
    SCRIPTS,
    Case,
    K,
    asked,
    differences,
    environment,
    movielens,
    ties,
)
from recsparse.errors import InputError


@pytest.fixture(scope="module")
def case():
    """Every user wants more than a list holds, so that both ideals of a short list differ."""
    rng = np.random.default_rng(0)
    user, item = (rng.random((40, 60)) < 0.6).nonzero()
    return Case.of_rows(user, item, rng.integers(1, 6, len(user)))


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_has_a_script_and_one_version(library):
    assert (SCRIPTS / f"{library}_figures.py").is_file()
    assert "==" in (SCRIPTS / f"{library}.txt").read_text(encoding="utf-8")


def test_ir_measures_says_the_same_of_all_lists(case):
    rows = differences(case, "ir_measures", sys.executable)
    assert len(rows) == 7
    for row in rows:
        assert row["lists of 10, against ours"] == "the same", row
        assert row["lists of 1 to 10, against ours"] == "the same", row


def test_mlflow_divides_by_the_length_of_the_list(case):
    rows = {row["ours"]: row for row in differences(case, "mlflow", sys.executable)}
    assert all(row["lists of 10, against ours"] == "the same" for row in rows.values())
    assert rows["`recall@10`"]["lists of 1 to 10, against ours"] == "the same"
    for metric in ("`ndcg@10`", "`precision@10`"):
        assert rows[metric]["lists of 1 to 10, against ours"].startswith("+"), metric


def test_lists_are_handed_out_without_what_was_seen(case):
    given = case.given(short=True)
    assert [len(items) for items in given["lists"].values()] == [
        user % K + 1 for user in range(len(case.scores))
    ]
    for user, items in given["lists"].items():
        seen = set(map(str, case.history[int(user)].indices.tolist()))
        assert not seen & {item for item, _ in items}
        assert [score for _, score in items] == sorted((s for _, s in items), reverse=True)
    assert json.loads(json.dumps(given)) == given


def test_ties_matter_where_there_are_any(case):
    rows = {row["scores"]: row for row in ties(case)}
    clear = rows["EASE"]
    assert clear["lower item first"] == clear["higher item first"]
    orders = f"as they come, {ORDERS} orders"
    least, _, most = rows["training rows of the item"][orders].split(" ")
    assert float(least) < float(most)


def test_a_library_that_fails_is_named():
    with pytest.raises(
        InputError, match=r"ir_measures must give its figures, but ended with KeyError: 'k'"
    ):
        asked("ir_measures", sys.executable, {})


def test_an_environment_that_is_ready_is_not_made_again(tmp_path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "ready").touch()
    assert environment("mlflow", tmp_path) == tmp_path / "mlflow" / "bin" / "python"


def test_the_real_case_has_lists_of_all_users_with_both_parts(real_data):
    assert (real_data / "movielens-100k").is_dir()
    case = movielens()
    assert len(case.scores) == case.history.shape[0] == case.targets.shape[0] > 900
    assert torch.isfinite(case.scores).all()
    assert (case.lists(short=False) >= 0).all()
    assert not csr_matrix(case.history).multiply(case.targets).nnz
