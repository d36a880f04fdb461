import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.errors import InputError, MissingFileError
from recsparse.scoring.model_folder import read_model_description
from recsparse.stages import promote as module
from recsparse.stages.prepare import prepare
from recsparse.stages.promote import promote
from recsparse.stages.train import train
from recsparse.tracking.registry import Registry
from tests.promoted import NAME, OVER, build_shop, champion, crown, open_shop


@pytest.fixture(scope="module")
def built(tmp_path_factory, empty_store):
    folder = tmp_path_factory.mktemp("shop")
    build_shop(folder, empty_store)
    return folder


@pytest.fixture
def shop(built, workplace, monkeypatch):
    return open_shop(built, workplace, monkeypatch)


def versions(shop):
    found = shop.client.search_model_versions(f"name='{NAME}'")
    return sorted(int(each.version) for each in found)


def run_tags(shop, name):
    run_id = read_model_description(shop.folder / name)["training"]["run_id"]
    return shop.client.get_run(run_id).data.tags


def test_a_better_model_is_registered_and_becomes_the_champion(shop):
    crown(shop)
    result = promote(shop.folder / "ease", OVER, shop.dataset)
    assert (result.promoted, result.version, result.champion) == (True, "2", "1")
    assert champion(shop) == "2"
    # The figures are those of `evaluate`, the champion's among them.
    ours, theirs = (each.mean()["ndcg@10"] for each in result.comparison.results.values())
    assert (result.checks[0].candidate, result.checks[0].champion) == (ours, theirs)
    assert ours > theirs
    for tags in (shop.client.get_model_version(NAME, "2").tags, run_tags(shop, "ease")):
        assert tags["promotion"] == "promoted"
        assert tags["promotion_reason"] == result.reason
    assert "is better than" in result.reason
    assert result.reason.endswith("compared with version 1")
    assert str(result) == f"shelf version 2 is the champion: {result.reason}"


@pytest.mark.parametrize("name", ["popularity", "twin"])
def test_an_equal_or_worse_model_leaves_the_champion_and_is_not_registered(shop, name):
    promote(shop.folder / "ease", OVER, shop.dataset)
    assert champion(shop) == "2"
    result = promote(shop.folder / name, OVER, shop.dataset)
    assert not result.promoted
    assert champion(shop) == "2"
    assert versions(shop) == [1, 2]
    assert run_tags(shop, name)["promotion"] == "not promoted"
    assert run_tags(shop, name)["promotion_reason"] == result.reason
    assert "is not shown to be better than" in result.reason
    # That of `popularity` was a version before.
    tags = shop.client.get_model_version(NAME, "1").tags
    assert tags.get("promotion") == ("not promoted" if name == "popularity" else None)


def test_the_same_lists_are_not_better_but_not_worse(shop):
    crown(shop)
    result = promote(shop.folder / "twin", OVER, shop.dataset)
    assert not result.promoted
    assert result.checks[0].p == 1
    settings = ["promotion.rule=not_worse", "promotion.margin=0.02"]
    result = promote(shop.folder / "twin", OVER, shop.dataset, load_config(None, settings))
    assert result.promoted
    assert champion(shop) == result.version == "2"


def test_where_there_is_no_champion_the_candidate_is_it(shop):
    result = promote("models:/shelf/1", OVER, shop.dataset)
    assert (result.promoted, result.version, result.champion) == (True, "1", None)
    assert result.reason == "no version of shelf had that alias"
    assert champion(shop) == "1"
    assert shop.client.get_model_version(NAME, "1").tags["promotion"] == "promoted"


def test_a_name_that_nothing_has_is_made(shop):
    result = promote(shop.folder / "ease", "models:/window@best", shop.dataset)
    assert (result.promoted, result.version) == (True, "1")
    assert shop.client.get_registered_model("window").aliases == {"best": 1}


def test_the_champion_stays_without_a_comparison(shop, monkeypatch):
    crown(shop)
    monkeypatch.setattr(module, "evaluate", None)
    for candidate in (shop.folder / "popularity", "models:/shelf/1", OVER):
        result = promote(candidate, OVER, shop.dataset)
        assert (result.promoted, result.version, result.comparison) == (True, "1", None)


def test_a_model_goes_by_its_folder_its_run_and_its_own_address(shop):
    crown(shop)
    run_id = read_model_description(shop.folder / "ease")["training"]["run_id"]
    model_id = shop.client.get_run(run_id).outputs.model_outputs[0].model_id
    figures = []
    for candidate in (shop.folder / "ease", f"runs:/{run_id}/model", f"models:/{model_id}"):
        result = promote(candidate, OVER, shop.dataset, dry_run=True)
        figures.append(result.checks)
    assert figures[0] == figures[1] == figures[2]
    # Once it is a version, it is the same one, however it is named.
    for candidate in (f"runs:/{run_id}/model", f"models:/{model_id}", shop.folder / "ease"):
        assert promote(candidate, OVER, shop.dataset).version == "2"
    assert versions(shop) == [1, 2]
    assert shop.client.get_model_version(NAME, "2").source == f"models:/{model_id}"


def test_a_dry_run_changes_neither_versions_nor_aliases_nor_tags(shop):
    crown(shop)
    result = promote(shop.folder / "ease", OVER, shop.dataset, dry_run=True)
    assert result.promoted
    assert str(result).startswith("the candidate for shelf would be the champion: ")
    assert champion(shop) == "1"
    assert versions(shop) == [1]
    assert "promotion" not in run_tags(shop, "ease")


def test_a_guard_keeps_the_champion(shop):
    promote(shop.folder / "ease", OVER, shop.dataset)
    settings = [
        "promotion.rule=not_worse", "promotion.margin=0.9", 'promotion.guards={"coverage@5"=0.1}',
    ]  # fmt: skip
    result = promote(shop.folder / "popularity", OVER, shop.dataset, load_config(None, settings))
    rule, guard = result.checks
    # Popularity recommends the same few items to all.
    assert (rule.passed, guard.passed) == (True, False)
    assert champion(shop) == "2"
    assert result.reason.startswith("coverage@5")
    assert guard.candidate == result.comparison.table.loc["popularity", "coverage@5"]


def test_a_test_part_of_twelve_users_is_too_small_to_tell(shop, workplace):
    log = pq.read_table(shop.folder / "log.parquet")
    few = log.filter(pc.less(log["user_id"], 12))
    pq.write_table(few, workplace / "few.parquet")
    prepare(workplace / "few.parquet", workplace / "few")
    crown(shop)
    result = promote(shop.folder / "ease", OVER, workplace / "few")
    assert not result.promoted
    assert champion(shop) == "1"
    assert result.reason.startswith("12 users with test rows are too few to tell")


def test_of_two_promotions_at_once_one_is_told(shop, monkeypatch):
    crown(shop)
    settled = module.evaluate

    def slow(*given, **named):
        compared = settled(*given, **named)
        # Meanwhile another job is done.
        other = shop.client.create_model_version(NAME, "models:/shelf/1")
        crown(shop, other.version)
        return compared

    monkeypatch.setattr(module, "evaluate", slow)
    result = promote(shop.folder / "ease", OVER, shop.dataset)
    assert not result.promoted
    assert champion(shop) == "2"
    assert result.reason == "another job gave it to version 2 meanwhile; promote it over that"
    assert shop.client.get_model_version(NAME, "3").tags["promotion"] == "not promoted"


def test_an_alias_that_was_taken_away_meanwhile_is_not_given(shop, monkeypatch):
    crown(shop)
    registry = Registry(shop.client.tracking_uri, NAME, "champion")
    shop.client.delete_registered_model_alias(NAME, "champion")
    assert registry.move_alias("1", "1") is None
    assert champion(shop) is None
    assert registry.move_alias(None, "1") == "1"


@pytest.mark.parametrize("over", ["models:/shelf/1", "shelf@champion", "models:/@x", "models:/a@"])
def test_over_must_be_an_alias(shop, over):
    with pytest.raises(InputError, match="must be named by its alias, as models:/NAME@champion"):
        promote(shop.folder / "ease", over, shop.dataset)


def test_a_folder_whose_run_is_elsewhere_is_refused(shop, workplace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace / 'mlflow.db'}")
    with pytest.raises(InputError, match=r"must be logged in the MLflow store .* is not there"):
        promote(shop.folder / "ease", OVER, shop.dataset)


def test_a_run_without_a_model_is_refused(shop):
    run = shop.client.create_run("0").info.run_id
    with pytest.raises(InputError, match="must have logged a model, but has none"):
        Registry(shop.client.tracking_uri, NAME, "champion").logged_by(run)


def test_an_address_of_a_run_without_a_model_names_the_run_and_the_cure(shop):
    run = shop.client.create_run("0", run_name="a comparison").info.run_id
    message = r"must have logged a model, but a comparison \(RUNNING\) has not: .* runs --best"
    with pytest.raises(MissingFileError, match=message):
        promote(f"runs:/{run}/model", OVER, shop.dataset)


def test_a_folder_of_other_weights_than_its_run_logged_is_refused(shop, workplace, monkeypatch):
    settings = ["model.kind=ease", "model.regularisation=1"]
    train(shop.dataset, workplace / "ease", load_config(None, settings))
    other = read_model_description(shop.folder / "ease")["training"]["run_id"]
    logged = Registry(shop.client.tracking_uri, NAME, "champion").logged_by(other)
    monkeypatch.setattr(Registry, "logged_by", lambda registry, run_id: logged)
    with pytest.raises(InputError, match="but has other weights than models:/m-"):
        promote(workplace / "ease", OVER, shop.dataset)


def test_no_store_is_made_where_there_is_none(shop, workplace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace / 'nowhere.db'}")
    with pytest.raises(MissingFileError, match="there must be an MLflow store at"):
        promote(shop.folder / "ease", OVER, shop.dataset)
    assert not (workplace / "nowhere.db").exists()


def test_an_address_of_nothing_is_refused(shop):
    with pytest.raises(MissingFileError, match="models:/shelf/9 must be a model in the MLflow"):
        promote("models:/shelf/9", OVER, shop.dataset)
