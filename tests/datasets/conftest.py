"""Fixtures of the tests of datasets."""

import pytest


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A workspace, of module scope as hypothesis wants it."""
    from recsparse.datasets.workspace import Resources, workspace

    folder = tmp_path_factory.mktemp("work")
    with workspace(Resources(threads=1), folder / "dataset") as work:
        yield work
