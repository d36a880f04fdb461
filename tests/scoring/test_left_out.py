"""Models that were logged without the histories of their users."""

import json
import logging
import shutil
from functools import partial

import mlflow.pyfunc
import pandas as pd
import pyarrow.fs as pafs
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.errors import InputError, ModelFolderError
from recsparse.scoring import left_out as module
from recsparse.scoring.left_out import BLOCKS, ELSEWHERE, HISTORY, in_the_place_of_history
from recsparse.scoring.model_folder import load_model
from recsparse.stages.load import load
from recsparse.stages.train import train
from tests.conftest import SMALL_NETWORK
from tests.scoring.served import answered, refused


@pytest.fixture(params=["popularity", "sparse_grid"])
def folder(trained_folder, tmp_path, request):
    """A model folder that may be changed, without its histories."""
    made = tmp_path / request.param
    shutil.copytree(trained_folder / request.param, made)
    (made / HISTORY).unlink()
    return made


def written(folder, origin, how):
    for name, text in in_the_place_of_history(origin, how).items():
        (folder / name).write_text(text)
    return load_model(folder)


@pytest.mark.parametrize("how", ["copy", "auto"])
def test_what_is_copied_needs_no_word_in_its_place(trained_folder, how):
    assert in_the_place_of_history(trained_folder / "sparse_grid", how) == {}


def test_past_a_size_histories_are_referred_to(trained_folder, monkeypatch):
    origin = trained_folder / "sparse_grid"
    size = (origin / HISTORY).stat().st_size
    monkeypatch.setattr(module, "LARGEST_COPY", size)
    assert in_the_place_of_history(origin, "auto") == {}
    monkeypatch.setattr(module, "LARGEST_COPY", size - 1)
    ((name, text),) = in_the_place_of_history(origin, "auto").items()
    assert (name, f"bytes = {size}" in text, str(origin) in text) == (ELSEWHERE, True, True)
    assert in_the_place_of_history(origin, "copy") == {}


def test_histories_are_read_from_where_they_lie(trained_folder, folder):
    origin = trained_folder / folder.name
    trained, whole = written(folder, origin, "refer"), load_model(origin)
    assert trained.left_out is None
    pd.testing.assert_frame_equal(trained.recommend(k=5), whole.recommend(k=5))


@pytest.mark.parametrize("now", ["gone", "another"])
def test_histories_that_are_not_at_hand_are_told_when_the_model_is_loaded(
    trained_folder, folder, tmp_path, now, caplog
):
    origin = tmp_path / "origin" / folder.name
    shutil.copytree(trained_folder / folder.name, origin)
    text = in_the_place_of_history(origin, "refer")[ELSEWHERE]
    if now == "gone":
        shutil.rmtree(origin)
    else:
        (origin / HISTORY).write_bytes(b"others")
    (folder / ELSEWHERE).write_text(text)
    with caplog.at_level(logging.WARNING):
        trained = load_model(folder)
    assert str(origin) in caplog.text
    with pytest.raises(InputError, match=r"or make .*origin.* reachable"):
        trained.recommend([3])


def test_a_model_without_histories_says_what_it_needs(trained_folder, folder):
    trained = written(folder, trained_folder / folder.name, "none")
    pairs = pd.DataFrame({"user_id": [901, 3], "item_id": [1, 1]})
    found = (
        r"logged without them, and those of 1 of 2 users are wanted; the first is row 1: 3; give"
    )
    with pytest.raises(InputError, match=found):
        trained.score(pairs, on_unknown="null")
    with pytest.raises(InputError, match=found):
        trained.recommend([901, 3], on_unknown="null")
    with pytest.raises(InputError, match="the popularity of items needs the histories"):
        trained.recommend([901], on_unknown="popularity")
    assert len(trained.recommend([901], on_unknown="null")) == 0


def test_rows_that_are_given_are_enough(trained_folder, folder):
    origin = trained_folder / folder.name
    trained, whole = written(folder, origin, "none"), load_model(origin)
    rows = pd.DataFrame({"user_id": [901, 3, 3], "item_id": [4, 6, 2]})
    given, expected = trained.with_history(rows), whole.with_history(rows)
    pd.testing.assert_frame_equal(given.recommend([901, 3], 4), expected.recommend([901, 3], 4))
    with pytest.raises(InputError, match="the first is row 0: 7"):
        given.recommend([7])


def test_with_rows_of_all_users_nothing_is_left_out(trained_folder, folder):
    origin = trained_folder / folder.name
    trained, whole = written(folder, origin, "none"), load_model(origin)
    cells = whole.history.tocoo()
    rows = pd.DataFrame(
        {
            "user_id": whole.users.id_of(cells.row).to_pylist(),
            "item_id": whole.items.id_of(cells.col).to_pylist(),
            "weight": cells.data,
            "timestamp": whole.times.tocoo().data,
        }
    )
    given = trained.with_history(rows)
    assert given.left_out is None
    expected = whole.recommend([999, 3], k=4, on_unknown="popularity")
    pd.testing.assert_frame_equal(given.recommend([999, 3], 4, on_unknown="popularity"), expected)


@pytest.mark.parametrize(
    ("text", "found"), [("bytes = ", "must be readable"), ("address = 3\n", "must name an address")]
)
def test_a_damaged_reference_is_told(folder, text, found):
    (folder / ELSEWHERE).write_text(text)
    with pytest.raises(ModelFolderError, match=found):
        load_model(folder)


def test_a_missing_history_without_a_reference_is_damage(folder):
    with pytest.raises(ModelFolderError, match=rf"must hold {HISTORY}"):
        load_model(folder)


@pytest.mark.parametrize("how", ["refer", "none"])
def test_what_is_logged_has_no_second_copy(small_dataset, workplace, how):
    config = load_config(None, [*SMALL_NETWORK, f"tracking.log_history={how}"])
    result = train(small_dataset, workplace / "model", config)
    (logged,) = workplace.glob("mlartifacts/models/*/artifacts/data/model")
    names = {path.name for path in (workplace / "model").iterdir()}
    assert {path.name for path in logged.iterdir()} == (names - {HISTORY, BLOCKS}) | {ELSEWHERE}
    assert not any(path.is_symlink() for path in logged.iterdir())
    trained, asked = load(result.model_uri), {"dataframe_records": [{"user_id": 3}]}
    mlflow.set_tracking_uri(f"sqlite:///{workplace / 'mlflow.db'}")
    try:
        served = partial(answered, mlflow.pyfunc.load_model(result.model_uri))
    finally:
        mlflow.set_tracking_uri(None)
    if how == "refer":
        expected = result.model.recommend([3])
        pd.testing.assert_frame_equal(trained.recommend([3]), expected)
        assert [row["item_id"] for row in served(asked)] == expected["item_id"].tolist()
        return
    with pytest.raises(InputError, match="logged without them"):
        trained.recommend([3])
    status, message = refused(served.args[0], asked)
    assert (status, "by `history` in a request" in message) == (400, True)
    found = served(asked | {"params": {"history": json.dumps([4, 6])}})
    rows = pd.DataFrame({"user_id": [3, 3], "item_id": [4, 6]})
    expected = result.model.recommend([3], history=rows)
    assert [row["item_id"] for row in found] == expected["item_id"].tolist()


@pytest.mark.slow
def test_histories_may_lie_at_an_address(small_dataset, workplace, s3):
    settings = ["model.kind=popularity", "tracking.log_history=refer"]
    out = f"s3://bucket/models/popularity?{s3}"
    bucket, _ = pafs.FileSystem.from_uri(f"s3://bucket?{s3}")
    bucket.create_dir("bucket")
    result = train(small_dataset, out, load_config(None, settings))
    (reference,) = workplace.rglob(ELSEWHERE)
    assert "s3://bucket/models/popularity?" in reference.read_text()
    trained = load(result.model_uri)
    assert trained.left_out is None
    pd.testing.assert_frame_equal(trained.recommend([3]), result.model.recommend([3]))
