"""Features of items from a table through training into a model folder."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.cli import model_commands
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import ConfigError, InputError
from recsparse.models.protocol.user_reader import scores_of
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages.item_features import item_features
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from recsparse.stages.user_features import user_features

NAMED = [
    "text.columns=['title']", "features.categories=['genres']", "features.numbers=['price']",
    "features.vectors=['embedding']", "features.user_numbers=['age']",
]  # fmt: skip
QUICK = "training={epochs=1, device='cpu'}"


@pytest.fixture(scope="module")
def featured(small_log, tmp_path_factory):
    """A dataset whose items but the first one have features of each kind, and users an age."""
    folder, rng = tmp_path_factory.mktemp("featured"), np.random.default_rng(0)
    ids = pq.read_table(small_log / "log.parquet")["item_id"].unique().sort()
    vectors = [None, *rng.normal(size=(len(ids) - 1, 4)).tolist()]
    items = {
        "item_id": ids,
        "title": [None, *(f"word{place % 5} other" for place in range(1, len(ids)))],
        "genres": [None, *([f"genre{place % 3}", "all"] for place in range(1, len(ids)))],
        "price": [None, *rng.random(len(ids) - 1).tolist()],
        "embedding": pa.array(vectors, pa.list_(pa.float32())),
    }
    users = pq.read_table(small_log / "log.parquet")["user_id"].unique()
    pq.write_table(pa.table(items), folder / "items.parquet")
    pq.write_table(pa.table({"user_id": users, "age": range(len(users))}), folder / "users.parquet")
    out = folder / "dataset"
    sources = Sources(
        small_log / "log.parquet", items=folder / "items.parquet", users=folder / "users.parquet"
    )
    prepare(sources, out, config=load_config(None, NAMED))
    return out


def test_a_dataset_has_a_group_of_each_column_and_kind(featured):
    features = item_features(load_dataset(featured))
    kinds = {group.name: group.kind for group in features.groups}
    assert kinds == {
        "words": "words", "genres": "categories", "price": "numbers", "embedding": "vectors",
    }  # fmt: skip
    without = features.num_ids - 1
    known = {group.name: group.known for group in features.groups}
    # That a number is missing is known, too.
    assert known == {**dict.fromkeys(kinds, without), "price": without + 1}


ALL = {"words", "genres", "price", "embedding"}


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        (["kind=timeline", "features=all", QUICK], {"timeline": ALL}),
        (["kind=sparse_grid", "features=['price']", QUICK], {"sparse_grid": {"price"}}),
        (["kind=bpr", "features=['genres', 'embedding']", QUICK], {"bpr": {"genres", "embedding"}}),
        (["kind=text_ridge", "ials.factors=4"], {"text_ridge": ALL}),
        (["kind=text_tower", QUICK], {"text_tower": ALL - {"price"}}),
        (["kind=ials", "factors=4"], {}),
        (
            ["parts=[{kind='content_knn'}, {kind='popularity'}]", "weights=[1, 1]"],
            {"content_knn": ALL - {"price"}},
        ),
        (
            [
                "parts=[{kind='content_knn'}, {kind='popularity'}]", "weights=[1, 1]",
                "features=['genres']",
            ],
            {"content_knn": {"genres"}},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_train_says_what_is_read_and_what_is_not(featured, workplace, caplog, settings, read):
    result = train(featured, "model", load_config(None, [f"model.{each}" for each in settings]))
    assert {kind: {*own} for kind, own in result.features.items()} == read
    assert read_model_description(workplace / "model")["training"]["features"] == result.features
    unread = ALL - {name for own in read.values() for name in own}
    said = [each for each in caplog.messages if "no part of the model reads" in each]
    assert said[-1].startswith("no part of the model reads the features age of the users; name a")
    assert (len(said) == 2) == bool(unread)
    assert all(name in said[0] for name in unread)
    again, trained = load_model(workplace / "model"), result.model
    scores = (each.model.score_batch(trained.history, trained.times) for each in (again, trained))
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "features", "message"),
    [
        ("timeline", "['genre']", "there are no 'genre'; the nearest known is 'genres'"),
        ("content_knn", "[]", "the model content_knn reads .* model.features names none of these"),
        ("text_tower", "['price']", "the model text_tower reads .* names none of these out of wor"),
    ],
)
def test_features_that_cannot_be_read_are_refused_before_anything_is_fitted(
    featured, workplace, kind, features, message
):
    config = load_config(None, [f"model.kind={kind}", f"model.features={features}"])
    before = [*workplace.iterdir()]
    with pytest.raises(InputError, match=message):
        train(featured, "model", config)
    assert [*workplace.iterdir()] == before


@pytest.mark.parametrize(
    ("features", "part", "message"),
    [
        ("['genres']", "{kind='content_knn', features=['words']}",
         "features of the part content_knn, out of model.features, must name .* no 'words'"),
        ("[]", "{kind='content_knn'}", "model.features must name what the part content_knn reads"),
    ],
)  # fmt: skip
def test_a_part_reads_no_more_than_its_blend(featured, workplace, features, part, message):
    settings = [f"model.features={features}", f"model.parts=[{{kind='popularity'}}, {part}]"]
    before = [*workplace.iterdir()]
    with pytest.raises(InputError, match=message):
        train(featured, "model", load_config(None, settings))
    assert [*workplace.iterdir()] == before


@pytest.mark.parametrize("features", ["words", "3", "[3]", "true"])
def test_features_are_all_or_a_list_of_names(features):
    message = r"^--set: model.features is wrong: it must be all, or a list of names, as in \['w"
    with pytest.raises(ConfigError, match=message):
        load_config(None, ["model.kind=timeline", f"model.features={features}"])


@pytest.mark.parametrize(("use_text", "features"), [("true", "all"), ("false", ())])
def test_the_text_setting_of_older_builds_is_read(use_text, features):
    config = load_config(None, ["model.kind=timeline", f"model.use_text={use_text}"])
    assert config.model.features == features
    with pytest.raises(ConfigError, match=r"has the unknown key 'model\.use_text'"):
        load_config(None, ["model.kind=bpr", f"model.use_text={use_text}"])


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        (["kind=user_ridge"], {"user_ridge": {"age of users"}}),
        (
            ["kind=timeline", "user_features=['age']", "features=['genres']", QUICK],
            {"timeline": {"genres", "age of users"}},
        ),
        (
            ["parts=[{kind='user_ridge'}, {kind='popularity'}]", "weights=[1, 1]"],
            {"user_ridge": {"age of users"}},
        ),
        (
            [
                "parts=[{kind='user_ridge', user_features=[]}, {kind='popularity'}]",
                "weights=[1, 1]",
            ],
            {},
        ),
    ],
    ids=["user_ridge", "timeline", "blend", "nothing"],
)
@pytest.mark.parametrize("refit", [False, True])
def test_train_says_which_features_of_users_are_read(
    featured, workplace, caplog, settings, read, refit
):
    settings = [f"model.{each}" for each in settings] + [f"refit={refit}".lower()]
    result = train(featured, "model", load_config(None, settings))
    assert {kind: {*own} for kind, own in result.features.items()} == read
    is_read = any("age of users" in own for own in read.values())
    assert ("no part of the model reads the features age of the users" in caplog.text) != is_read
    users = user_features(load_dataset(featured), result.model.users.ids)
    if is_read:
        (own,) = result.features.values()
        assert own["age of users"] == users.groups[0].known
    known, trained = load_model(workplace / "model").model, result.model
    scores = (
        scores_of(each, trained.history, trained.times, users) for each in (known, trained.model)
    )
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["kind=user_ridge", "user_features=['job']"], "there are no 'job'; known are 'age'"),
        (
            ["user_features=[]", "parts=[{kind='popularity'}, {kind='user_ridge'}]"],
            "model.user_features must name what the part user_ridge reads, but is empty",
        ),
        (
            ["parts=[{kind='popularity'}, {kind='user_ridge', user_features=['job']}]"],
            "user_features of the part user_ridge, out of model.user_features, must name",
        ),
    ],
)
def test_features_of_users_that_are_not_there_are_refused_before_anything_is_fitted(
    featured, workplace, settings, message
):
    before = [*workplace.iterdir()]
    with pytest.raises(InputError, match=message):
        train(featured, "model", load_config(None, [f"model.{each}" for each in settings]))
    assert [*workplace.iterdir()] == before


def test_the_command_line_lists_what_is_read_of_items_and_of_users():
    read = {"genres": 1600, "age of users": 943}
    assert model_commands._listed(read) == "genres (1,600 items), age (943 users)"
