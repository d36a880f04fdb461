import errno
import os
import shutil
import stat
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix

from recsparse.config.data import TextConfig
from recsparse.config.event_models import TimelineConfig
from recsparse.config.model_section import known_sections
from recsparse.config.network_models import SparseGridConfig
from recsparse.config.toml_writer import to_toml
from recsparse.config.training import TrainingConfig
from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import MissingFileError, ModelFolderError, OutputError
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.scoring.model_folder import (
    check_model,
    load_items,
    load_model,
    read_model_description,
    save_model,
)
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory
from recsparse.training.fit import fit_model
from tests.item_features import mixed_features, word_features

SMALL = {
    "item_knn": {"neighbours": 3},
    "ials": {"factors": 3, "iterations": 1},
    "gf_cf": {"rank": 2},
    "mult_vae": {"hidden": 4, "latent": 2},
    "sparse_ease": {"neighbours": 2},
    "next_item_ridge": {"decays": [0.5]},
    "bpr": {"channels": 3},
    "light_gcn": {"channels": 3, "layers": 1},
    "sparse_grid": {"factors": 3, "hidden": 4, "item_iterations": 1},
    "text_ridge": {"ials": {"factors": 3, "iterations": 1}},
    "text_tower": {"channels": 3},
    "timeline": {"channels": 4, "blocks": 1},
    "sasrec": {"channels": 4, "blocks": 1},
    "rating_factors": {"factors": 3, "iterations": 1},
    "rating_bayes": {"factors": 3, "spectral_features": 2, "burn_in": 1, "samples": 2},
    "rating_grid": {
        "channels": 4,
        "hidden": 4,
        "training": {"epochs": 1},
        "bayes": {"factors": 3, "spectral_features": 2, "burn_in": 1, "samples": 2},
    },
    "blend": {"parts": [{"kind": "ease", "recency_decay": 0.5}, {"kind": "popularity"}]},
}
CONFIGS = [section(**SMALL.get(kind, {})) for kind, section in known_sections().items()]
WITH_EVERYTHING = SparseGridConfig(**SMALL["sparse_grid"], axis_blocks=1, features="all")
WITH_MORE = [WITH_EVERYTHING, TimelineConfig(**SMALL["timeline"], features="all")]
FILES = [
    "history.blocks",
    "history.safetensors",
    "items.parquet",
    "model.toml",
    "users.parquet",
    "weights.safetensors",
]
WRITTEN = sorted([*FILES, "manifest.toml"])


USERS = mixed_features(9)


def train(config):
    cells = csr_matrix(np.random.default_rng(0).random((9, 6)).round().astype(np.float32))
    texts = [f"word{item % 3} other" for item in range(6)]
    words = word_features(BagOfWords.fit(texts, TextConfig()).transform(texts))
    cells.sort_indices()
    seconds = np.arange(cells.nnz) * 7 % 40
    times = csr_matrix((seconds, cells.indices, cells.indptr), shape=cells.shape)
    context = FitContext(
        TrainingConfig(epochs=1), times=times, item_features=words, user_features=USERS
    )
    model = fit_model(build_model(config), cells, context)
    users = Vocabulary.fit([f"user {number}" for number in range(9)])
    return TrainedModel(model, users, Vocabulary.fit([*range(50, 56)]), RowsInMemory(cells, times))


@pytest.fixture(scope="module")
def popularity():
    return train(CONFIGS[0])


@pytest.fixture
def folder(popularity, tmp_path):
    save_model(popularity, tmp_path / "model", {"seed": 3, "validation": {"ndcg@10": 0.25}})
    return tmp_path / "model"


def test_every_kind_of_model_is_tried():
    assert {config.kind for config in CONFIGS} == set(known_sections())


@pytest.mark.parametrize("config", [*CONFIGS, *WITH_MORE], ids=lambda config: config.kind)
def test_a_saved_model_gives_the_same_scores_and_holds_no_pickle(config, tmp_path):
    trained = train(config)
    save_model(trained, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    users, items = trained.users.ids.to_pylist(), trained.items.ids.to_pylist()
    pairs = pd.DataFrame([(user, item) for user in users for item in items])
    pairs.columns = ["user_id", "item_id"]
    assert loaded.score(pairs).tolist() == trained.score(pairs).tolist()
    pd.testing.assert_frame_equal(loaded.recommend(k=4), trained.recommend(k=4))
    assert loaded.model.config == config
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == WRITTEN
    for name, read in ((".safetensors", load_file), (".parquet", pq.read_table)):
        assert all(len(read(path)) for path in (tmp_path / "model").glob(f"*{name}"))


def test_the_description_says_what_the_model_is_and_how_it_was_trained(folder):
    described = read_model_description(folder)
    assert described == tomllib.loads((folder / "model.toml").read_text())
    assert (described["format_version"], described["num_users"], described["num_items"]) == (
        2,
        9,
        6,
    )
    assert described["model"] == {"kind": "popularity"}
    assert described["training"] == {"seed": 3, "validation": {"ndcg@10": 0.25}}


def test_whoever_may_read_the_folder_may_read_its_files(folder):
    mask = os.umask(0)
    os.umask(mask)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o666 & ~mask}


def test_a_model_replaces_an_older_one_as_a_whole(folder, popularity):
    save_model(popularity, folder, settled={"seed": 1}, overwrite=True)
    assert (folder / "settled.toml").is_file()
    save_model(popularity, folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == WRITTEN


def test_a_model_takes_no_foreign_file_away_whatever_is_passed(folder, popularity):
    (folder / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"holds thesis\.txt, which recsparse did not write"):
            save_model(popularity, folder, overwrite=overwrite)
    assert (folder / "thesis.txt").read_text() == "mine"


def test_a_model_of_an_older_build_is_loaded_and_known_by_its_toml(folder, popularity):
    (folder / "manifest.toml").unlink()
    assert load_model(folder).recommend(k=2).equals(popularity.recommend(k=2))
    with pytest.raises(OutputError, match="a model folder of an older build, or changed since"):
        save_model(popularity, folder)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis\.txt, which recsparse did not write"):
        save_model(popularity, folder, overwrite=True)
    (folder / "thesis.txt").unlink()
    save_model(popularity, folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == WRITTEN


def test_a_full_disk_leaves_the_old_model_and_nothing_else(folder, popularity, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="more room than the disk has"):
            save_model(popularity, folder, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_found(folder, name):
    whole = (folder / name).read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (folder / name).write_bytes(damaged)
        with pytest.raises(ModelFolderError, match=r"damaged|readable|version"):
            check_model(folder)
        with pytest.raises(ModelFolderError, match=r"damaged|readable|version"):
            load_model(folder).rows.check()
    (folder / name).write_bytes(whole)
    check_model(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_or_missing_file_is_named(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelFolderError, match=name):
        load_model(folder)
    path.unlink()
    with pytest.raises(ModelFolderError, match=f"{name}.*(is missing|No such file)"):
        load_model(folder)


def test_the_items_alone_are_those_of_the_model_and_damage_is_found_all_the_same(folder):
    assert load_items(folder).ids.equals(load_model(folder).items.ids)
    (folder / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ModelFolderError, match=r"weights\.safetensors must be as it was written"):
        load_items(folder)


def test_another_format_version_is_told_with_who_wrote_it(folder):
    path = folder / "model.toml"
    described = tomllib.loads(path.read_text())
    path.write_text(to_toml({**described, "format_version": 3, "recsparse_version": "9.9"}))
    expected = r"must have format version 2, but has 3 \(written by recsparse 9.9\)"
    with pytest.raises(ModelFolderError, match=expected):
        load_model(folder)


def test_a_checksum_too_few_is_found(folder):
    path = folder / "model.toml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith('"users.parquet"')))
    with pytest.raises(ModelFolderError, match=r"model\.toml must be as it was written"):
        load_model(folder)


def test_no_folder_is_told(tmp_path):
    with pytest.raises(MissingFileError, match="the model must be a folder, but there is none at"):
        load_model(tmp_path / "nowhere")


def test_a_folder_of_something_else_is_told(tmp_path):
    with pytest.raises(ModelFolderError, match="write one with `recsparse train`"):
        load_model(tmp_path)


def test_a_model_folder_may_be_moved(folder, popularity, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")
    moved = load_model(tmp_path / "elsewhere")
    pd.testing.assert_frame_equal(moved.recommend(k=2), popularity.recommend(k=2))
