"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed; a slow example is no failure.
settings.register_profile("recsparse", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("recsparse")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets, or a skip that says how to give one."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RECSPARSE_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no public data in {folder}; set RECSPARSE_TEST_DATA to a folder of them")
    return folder
