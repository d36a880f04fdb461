import json
from importlib.metadata import Distribution, PackageNotFoundError, version

import pytest

from recsparse.stages import installed
from recsparse.stages.installed import build_again, installed_version


class FromSomewhere(Distribution):
    """A package that was installed from an address."""

    def __init__(self, origin):
        self.origin = origin

    def read_text(self, filename):
        return None if self.origin is None else json.dumps(self.origin)

    def locate_file(self, path):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (None, "recsparse"),
        ({"url": "file:///src", "dir_info": {}}, "file:///src"),
        ({"url": "file:///src", "dir_info": {"editable": True}}, "--editable file:///src"),
        (
            {"url": "https://host/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "git+https://host/r.git@abc",
        ),
        ({"url": "https://host/r.tar.gz", "archive_info": {}}, "https://host/r.tar.gz"),
    ],
)
def test_a_package_is_built_again_from_where_it_came_past_the_cache(monkeypatch, origin, source):
    monkeypatch.setattr(installed, "distribution", lambda name: FromSomewhere(origin))
    command = "pip install --force-reinstall --no-cache-dir --no-deps --no-binary recsparse "
    assert build_again("recsparse") == f"build it past pip's cache: {command}{source}"


def test_a_package_that_is_not_there_has_no_version():
    assert installed_version("pyarrow") == version("pyarrow")
    assert installed_version("no-such-package") == "not installed"
    with pytest.raises(PackageNotFoundError):
        version("no-such-package")
