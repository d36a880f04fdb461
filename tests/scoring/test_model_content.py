"""A folder whose checksums agree may hold anything: what does not fit is refused, never used."""

import hashlib
import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file as save_tensors
from scipy.sparse import csr_matrix

from recsparse.config.toml_writer import to_toml
from recsparse.errors import ConfigError, InputError, ModelFolderError
from recsparse.scoring.checked_file import block_sums
from recsparse.scoring.left_out import BLOCKS
from recsparse.scoring.model_folder import load_model, save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory
from tests.scoring.test_model_folder import CONFIGS, WITH_MORE, train

# Of these, as many as one likes fit: ranks, words and users of the fit.
FREE = {
    ("gf_cf", "vectors"), ("gf_cf", "indptr"),
    ("text_ridge", "word_factors"), ("text_tower", "word_vectors"), ("user_ridge", "weights"),
}  # fmt: skip


@pytest.fixture(scope="module")
def popularity():
    return train(CONFIGS[0])


@pytest.fixture
def folder(popularity, tmp_path):
    save_model(popularity, tmp_path / "model")
    return tmp_path / "model"


def signed(folder, **changes):
    """Change what model.toml says and make all checksums agree, as anyone could."""
    path = folder / "model.toml"
    (folder / BLOCKS).write_bytes(block_sums(folder / "history.safetensors"))
    described = tomllib.loads(path.read_text())
    sums = described.pop("sha256")
    described |= changes
    text = to_toml({name: value for name, value in described.items() if value is not None})
    for name in sums:
        content = text.encode() if name == "model.toml" else (folder / name).read_bytes()
        sums[name] = hashlib.sha256(content).hexdigest()
    path.write_text(text + to_toml({"sha256": sums}))
    return folder


def with_history(folder, without=(), **changes):
    arrays = load_file(folder / "history.safetensors")
    arrays = {name: value for name, value in arrays.items() if name not in without}
    save_file(arrays | changes, folder / "history.safetensors")
    return signed(folder)


def refused(folder, match):
    with pytest.raises(ModelFolderError, match=rf"must fit each other, but .*{match}"):
        load_model(folder).rows.check()


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


def test_a_kind_that_is_not_known_is_no_damage_to_the_folder(folder, monkeypatch):
    plugins = {"far_away": "far.away:Model"}
    with pytest.raises(ModelFolderError, match=r"which this process does not know") as caught:
        load_model(signed(folder, plugins=plugins))
    assert str(caught.value).startswith(f"the model in {folder} is of the kind 'far_away'")
    assert str(caught.value).endswith(
        "RECSPARSE_PLUGINS=far.away, with the folder of the module on PYTHONPATH"
    )
    monkeypatch.setenv("RECSPARSE_PLUGINS", "far.away")
    with pytest.raises(ConfigError, match=r"^the environment variable RECSPARSE_PLUGINS must name"):
        load_model(folder)


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("indptr", lambda old: old[:-1], "must have 9"),
        ("indptr", lambda old: np.append(old, old[-1]), "must have 9"),
        ("indptr", lambda old: old.reshape(-1, 2), "must have 9"),
        ("indptr", lambda old: changed(old, 0, 1), "must rise from 0"),
        ("indptr", lambda old: changed(old, 0, -1), "must rise from 0"),
        ("indptr", lambda old: changed(old, -1, old[-1] + 3), "must rise from 0"),
        ("indptr", lambda old: changed(old, -1, old[-1] - 1), "must rise from 0"),
        ("indptr", lambda old: changed(old, 3, old[5]), "must rise from 0"),
        ("indptr", lambda old: old.astype(np.int32), "of int64"),
        ("indptr", lambda old: old.astype(np.float64), "of int64"),
        ("indices", lambda old: old.astype(np.int64), "of int32"),
        ("indices", lambda old: changed(old, 2, 6), "from 0 to 5"),
        ("indices", lambda old: changed(old, 2, -1), "from 0 to 5"),
        ("indices", lambda old: old[:-1], "one column per cell"),
        ("indices", lambda old: old.reshape(1, -1), "one column per cell"),
        ("indices", lambda old: old[::-1].copy(), "must be sorted"),
        ("indices", lambda old: np.zeros_like(old), "must be sorted"),
        ("data", lambda old: old[:-1], "one column per cell"),
        ("times", lambda old: old[:-1], "a time for each cell"),
        ("times", lambda old: old.astype(np.int32), "times of int64"),
        ("popularity", lambda old: old[:-1], "a share of each of 6"),
        ("popularity", lambda old: changed(old, 1, np.nan), "shares of items"),
        ("data", lambda old: old.astype(np.float16), "data of"),
        ("shape", lambda old: old + 1, "must be of"),
        ("shape", lambda old: old[::-1].copy(), "must be of"),
        ("shape", lambda old: -old, "must be of"),
        ("shape", lambda old: np.zeros(0, np.int64), "must be of"),
        ("shape", lambda old: np.array(3), "must be of"),
    ],
)  # fmt: skip
def test_arrays_that_make_no_matrix_are_refused(folder, name, change, match):
    old = load_file(folder / "history.safetensors")[name]
    with_history(folder, **{name: change(old)})
    refused(folder, match)


@pytest.mark.parametrize("name", ["indptr", "indices", "data", "shape", "popularity"])
def test_an_array_that_is_missing_is_told(folder, name):
    with_history(folder, without=[name])
    refused(folder, f"must hold {name} of")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_weights_that_no_log_has_are_refused(folder, value):
    old = load_file(folder / "history.safetensors")["data"]
    with_history(folder, data=changed(old, 0, value))
    refused(folder, "must (be finite|not be negative)")


def test_a_kind_that_another_class_has_here_is_said_with_both_classes(folder, caplog):
    load_model(signed(folder, plugins={"popularity": "far.away:Model"}))
    (said,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert said.startswith(f"the model in {folder} was trained by the class far.away:Model, but")
    assert "'popularity' is that of recsparse.models.linear.popularity:Popularity here" in said


def test_a_kind_whose_class_is_that_of_the_folder_is_loaded_without_a_word(folder, caplog):
    own = "recsparse.models.linear.popularity:Popularity"
    load_model(signed(folder, plugins={"popularity": own}))
    assert not caplog.records


def test_times_of_other_cells_are_not_saved(popularity, tmp_path):
    times = popularity.times[:, ::-1].tocsr()
    rows = RowsInMemory(popularity.history, times)
    with pytest.raises(InputError, match="a time for each cell"):
        save_model(replace(popularity, rows=rows), tmp_path / "model")


def test_an_array_of_no_meaning_is_refused(folder):
    with_history(folder, other=np.zeros(3))
    refused(folder, "not known")


@pytest.mark.parametrize(
    ("ids", "match"),
    [
        (pa.array([f"user {number % 5}" for number in range(9)]), "each id once"),
        (pa.array([*map(str, range(8)), None]), "each id once"),
        (pa.array(map(str, range(8))), "names .* but ids are of"),
        (pa.array(map(str, range(10))), "names .* but ids are of"),
        (pa.array(np.arange(9.0)), "int64 or string"),
        (pa.array([[number] for number in range(9)]), "int64 or string"),
        (pa.nulls(9), "int64 or string"),
    ],
)
@pytest.mark.parametrize("name", ["users.parquet", "items.parquet"])
def test_ids_that_name_no_rows_are_refused(folder, name, ids, match):
    ids = ids if name == "users.parquet" else ids.slice(len(ids) - 6) if len(ids) == 9 else ids
    pq.write_table(pa.table({"id": ids}), folder / name)
    refused(signed(folder), match)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_users": 8}, {"num_items": 7}, {"num_users": None}, {"num_items": "6"},
        {"model": None}, {"model": "popularity"}, {"model": {}}, {"model": {"kind": "nothing"}},
        {"model": {"kind": "popularity", "more": 1}}, {"model": {"kind": "ease"}},
        {"data": {"last_training_second": "now"}}, {"data": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_description_of_other_content_is_refused(folder, changes):
    if changes.get("model") == {}:
        changes = {"model": {"channels": 3}}
    refused(signed(folder, **changes), "")


@pytest.mark.parametrize("sums", [3, "text", []])
def test_checksums_that_are_none_are_refused(folder, sums):
    path = folder / "model.toml"
    described = tomllib.loads(path.read_text())
    path.write_text(to_toml({**described, "sha256": sums}))
    with pytest.raises(ModelFolderError):
        load_model(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "history.safetensors", "users.parquet"])
def test_a_file_that_is_none_of_its_kind_is_refused(folder, name):
    (folder / name).write_bytes(b"text")
    refused(signed(folder), "")


def worse(name, value):
    """Yield what a tensor may not be: longer, of another type, not finite."""
    if value.dim():
        yield "longer", torch.cat([value, value[-1:]])
    yield "an axis more", value[None]
    yield "type", value.to(torch.float16)
    if value.is_floating_point() and value.numel():
        bad = value.clone()
        bad.view(-1)[0] = torch.nan
        yield "not finite", bad
    elif name.endswith(("indices", "coords")):
        for number in (-1, 10_000):
            bad = value.clone()
            bad.view(-1)[-1] = number
            yield "out of range", bad


def is_refused(folder):
    try:
        load_model(folder)
    except ModelFolderError as error:
        return "must fit each other" in str(error)
    return False


@pytest.mark.parametrize("config", [*CONFIGS, *WITH_MORE], ids=lambda config: config.kind)
def test_weights_that_do_not_fit_the_model_are_refused(config, tmp_path):
    """Of each kind of model, each tensor, in each way that it may not fit."""
    trained = train(config)
    save_model(trained, tmp_path / "model")
    path, whole = tmp_path / "model" / "weights.safetensors", trained.model.state()
    whole = {name: value.contiguous() for name, value in whole.items()}
    tried = [("missing", {n: v for n, v in whole.items() if n != name}) for name in whole]
    tried.append(("more", {**whole, "another": torch.zeros(1)}))
    tried += [
        (f"{name} {how}", {**whole, name: bad})
        for name, value in whole.items()
        for how, bad in worse(name, value)
        if not (how == "longer" and (config.kind, name) in FREE)
    ]
    for what, state in tried:
        save_tensors(state, path)
        signed(tmp_path / "model")
        assert is_refused(tmp_path / "model"), what
    save_tensors(whole, path)
    assert set(load_tensors(path)) == set(whole)
    load_model(signed(tmp_path / "model"))


def test_a_network_of_other_sizes_than_configured_is_refused(tmp_path):
    config = next(each for each in CONFIGS if each.kind == "timeline")
    save_model(train(config), tmp_path / "model")
    other = config.model_copy(update={"channels": config.channels + 1})
    refused(signed(tmp_path / "model", model=other.model_dump(mode="json")), "")


def test_unsorted_histories_are_sorted_where_they_are_saved(popularity, tmp_path):
    history, times = popularity.history.copy(), popularity.times.copy()
    for matrix in (history, times):
        first = slice(0, matrix.indptr[1])
        matrix.indices[first], matrix.data[first] = (
            matrix.indices[first][::-1].copy(), matrix.data[first][::-1].copy(),
        )  # fmt: skip
        matrix.has_sorted_indices = False
    unsorted = TrainedModel(
        popularity.model, popularity.users, popularity.items, RowsInMemory(history, times)
    )
    save_model(unsorted, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert (loaded.history != popularity.history).nnz == 0
    assert (loaded.times != popularity.times).nnz == 0
    pd.testing.assert_frame_equal(loaded.recommend(k=3), popularity.recommend(k=3))


def test_histories_with_a_cell_twice_are_not_saved(popularity, tmp_path):
    twice = csr_matrix((np.ones(2, np.float32), [1, 1], [0, 2] + [2] * 8), shape=(9, 6))
    model = TrainedModel(popularity.model, popularity.users, popularity.items, RowsInMemory(twice))
    with pytest.raises(InputError, match="each cell once"):
        save_model(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
