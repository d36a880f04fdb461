import pytest

from tests.public_data import PublicData


@pytest.mark.parametrize("named", [None, ""])
def test_without_a_folder_the_reason_says_how_to_give_one(named, monkeypatch):
    monkeypatch.delenv("RECSPARSE_DATA", raising=False)
    if named is not None:
        monkeypatch.setenv("RECSPARSE_DATA", named)
    with pytest.raises(pytest.skip.Exception, match="set RECSPARSE_DATA to a folder of the sets"):
        PublicData.of_environment()


def test_without_a_set_the_reason_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSPARSE_DATA", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"no movielens-1m in .*RECSPARSE_DATA names"):
        PublicData.of_environment() / "movielens-1m"


def test_a_set_that_is_there_is_found(tmp_path, monkeypatch):
    (tmp_path / "gowalla").mkdir()
    monkeypatch.setenv("RECSPARSE_DATA", str(tmp_path))
    assert PublicData.of_environment() / "gowalla" == tmp_path / "gowalla"
