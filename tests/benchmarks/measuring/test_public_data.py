import os
import subprocess
import sys

import pytest

from benchmarks import grids, published, ratings
from benchmarks.measuring.public_data import public_path
from benchmarks.protocols import cold_items
from benchmarks.protocols.protocols import PROTOCOLS
from recsparse.errors import MissingFileError


def test_a_set_is_read_from_the_folder_of_the_variable(monkeypatch, tmp_path):
    (tmp_path / "tiny").mkdir()
    monkeypatch.setenv("RECSPARSE_DATA", str(tmp_path))
    assert public_path("tiny") == tmp_path / "tiny"


def test_a_set_that_is_missing_is_named_with_the_page_that_lists_it(monkeypatch, tmp_path):
    monkeypatch.setenv("RECSPARSE_DATA", str(tmp_path))
    with pytest.raises(MissingFileError, match=r"holds tiny, but .*tiny does not.*data\.md"):
        public_path("tiny")


COMMANDS = {
    "the protocols": lambda out: PROTOCOLS["gowalla"].dataset(0, out / "dataset"),
    "cold items": lambda out: cold_items.dataset(0, "bm25", out),
    "published": lambda out: published.run(),
    "ratings": lambda out: ratings.run(1),
    "orders": lambda out: grids.orders(),
    "pictures": grids.pictures,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_variable_a_command_names_it(command, monkeypatch, tmp_path):
    monkeypatch.delenv("RECSPARSE_DATA", raising=False)
    with pytest.raises(MissingFileError, match="RECSPARSE_DATA must name the folder"):
        COMMANDS[command](tmp_path)


def test_without_the_variable_a_command_ends_with_one_line():
    environment = {name: text for name, text in os.environ.items() if name != "RECSPARSE_DATA"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.grids", "orders"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: the environment variable RECSPARSE_DATA must name")
    assert done.stderr.count("\n") == 1
