import json

import pytest

from tests.promoted import OVER, build_shop, champion, crown, open_shop


@pytest.fixture(scope="module")
def built(tmp_path_factory, empty_store):
    folder = tmp_path_factory.mktemp("shop")
    build_shop(folder, empty_store)
    return folder


@pytest.fixture
def shop(built, workplace, monkeypatch):
    return open_shop(built, workplace, monkeypatch)


def test_the_exit_status_says_whether_the_alias_was_moved(recsparse, shop):
    crown(shop)
    words = ["--over", OVER, "--on", shop.dataset]
    twin = recsparse("promote", shop.folder / "twin", *words)
    assert (twin.status, champion(shop)) == (3, "1")
    # Nothing of that name has lost: what was registered before is the champion.
    assert "the candidate for shelf is not the champion: ndcg@10" in twin.out
    dry = recsparse("promote", shop.folder / "ease", *words, "--dry-run")
    assert (dry.status, champion(shop)) == (0, "1")
    better = recsparse("promote", shop.folder / "ease", *words)
    assert (better.status, champion(shop)) == (0, "2")
    assert "shelf version 2 is the champion: ndcg@10" in better.out


def test_json_has_every_figure_and_the_reason(recsparse, shop):
    crown(shop)
    words = ["--over", OVER, "--on", shop.dataset, "--json", "--set"]
    guards = 'promotion.guards={"coverage@10"=0.5}'
    said = json.loads(recsparse("promote", shop.folder / "twin", *words, guards).out)
    assert (said["promoted"], said["version"], said["champion"]) == (False, None, "1")
    rule, guard = said["checks"]
    assert (rule["metric"], rule["p"], rule["passed"]) == ("ndcg@10", 1, False)
    assert rule["candidate"] == rule["champion"]
    assert (guard["metric"], guard["p"], guard["passed"]) == ("coverage@10", None, True)
    assert said["reason"] == f"{rule['reason']}; compared with version 1"


def test_bad_input_ends_with_2(recsparse, shop):
    words = ["--on", shop.dataset, "--over"]
    assert recsparse("promote", shop.folder / "ease", *words, "models:/shelf/1").status == 2
    wrong = recsparse("promote", shop.folder / "ease", *words, OVER, "--set", "promotion.p=2")
    assert wrong.status == 2
    assert "promotion.p" in wrong.err
