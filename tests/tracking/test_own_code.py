import pytest

from recsparse.tracking.own_code import own_code


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A module, a package, and a folder without `__init__.py`."""
    (tmp_path / "own_alone.py").write_text("")
    (tmp_path / "own_package" / "inner").mkdir(parents=True)
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_folder").mkdir()
    (tmp_path / "own_folder" / "model.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_module_is_a_file_and_a_package_is_whole(modules):
    names = ["own_package.inner.model", "own_alone", "own_folder.model", "own_package"]
    found = [modules / name for name in ("own_alone.py", "own_folder", "own_package")]
    assert own_code(names) == found
    assert own_code([]) == []


@pytest.mark.parametrize("name", ["own_nowhere", "sys"])
def test_a_module_that_has_no_file_is_told_and_left_out(name, caplog):
    assert own_code([name]) == []
    assert f"the module {name} of this model cannot be found" in caplog.text
