"""Fixtures of the tests of stages."""

import shutil

import pytest


@pytest.fixture(scope="session")
def jobs(tmp_path_factory, empty_store):
    """A dataset split by time, its models, and a challenger of a later log with other items."""
    from tests.stages.strangers import prepared_and_trained

    folder = tmp_path_factory.mktemp("strangers")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepared_and_trained(folder)
    return folder
