import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.linear_models import EASEConfig, IALSConfig
from recsparse.config.network_models import BPRConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, UnknownIdError
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory
from recsparse.scoring.vector_tables import vectors_of, write_vectors
from recsparse.testing.small_fits import NUM_ITEMS, NUM_USERS, fitted, log_of
from tests.scoring.candidates import names


def model_of(config):
    users = Vocabulary(pa.array([f"user {number}" for number in range(NUM_USERS)]))
    items = Vocabulary(pa.array(range(100, 100 + NUM_ITEMS)))
    return TrainedModel(fitted(config), users, items, RowsInMemory(log_of()))


@pytest.fixture(scope="module", params=["ials", "bpr"])
def trained(request):
    return model_of({"ials": IALSConfig(factors=3), "bpr": BPRConfig(channels=4)}[request.param])


def matrix(table):
    assert pa.types.is_fixed_size_list(table["vector"].type)
    assert table["vector"].type.value_type == pa.float32()
    return np.stack(table["vector"].to_numpy())


def test_products_are_the_scores_of_pairs(trained):
    users, items = vectors_of(trained, "user"), vectors_of(trained, "item")
    assert users["user_id"].to_pylist() == trained.users.ids.to_pylist()
    assert items["item_id"].to_pylist() == trained.items.ids.to_pylist()
    products = matrix(users) @ matrix(items).T
    has_rows = np.flatnonzero(np.diff(log_of().indptr))
    row, place = np.repeat(has_rows, NUM_ITEMS), np.tile(np.arange(NUM_ITEMS), len(has_rows))
    ids = trained.users.id_of(row), trained.items.id_of(place)
    scores = trained.score(pa.table({"user_id": ids[0], "item_id": ids[1]}))
    np.testing.assert_allclose(products[row, place], scores, rtol=1e-4, atol=1e-6)


def test_ids_that_are_asked_for_come_in_their_order(trained):
    some = vectors_of(trained, "item", [105, 101])
    assert some["item_id"].to_pylist() == [105, 101]
    whole = matrix(vectors_of(trained, "item"))
    np.testing.assert_array_equal(matrix(some), whole[[5, 1]])


def test_no_ids_have_no_rows_and_the_same_columns(trained):
    nobody = vectors_of(trained, "user", pa.array([], pa.string()))
    assert nobody.num_rows == 0
    assert nobody.schema == vectors_of(trained, "user").schema


@pytest.mark.parametrize("of", ["user", "item"])
def test_a_file_holds_the_same_whatever_its_parts(trained, tmp_path, of):
    expected, known = vectors_of(trained, of), trained.users if of == "user" else trained.items
    for out, rows in (("one.parquet", 99), ("parts", 5)):
        count = write_vectors(trained, tmp_path / out, of, None, BatchOptions(rows))
        assert count == len(known)
        found = pq.read_table(tmp_path / out)
        np.testing.assert_allclose(matrix(found), matrix(expected), rtol=1e-5, atol=1e-6)
    assert names(tmp_path) == ["one.parquet", "parts"]


def test_unknown_ids_are_told_and_leave_nothing(trained, tmp_path):
    with pytest.raises(UnknownIdError, match=r"but 1 of 2 are not; the first is row 1: 'x'"):
        write_vectors(trained, tmp_path / "out", "user", pa.array(["user 1", "x"]))
    assert names(tmp_path) == []


def test_a_model_whose_scores_are_no_products_says_so(tmp_path):
    with pytest.raises(InputError, match="those of ease are not; train ials"):
        write_vectors(model_of(EASEConfig()), tmp_path / "out", "user")
    assert names(tmp_path) == []
