"""What uv is told of torch-scatter, whose setup needs torch before it can be asked for anything."""

import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

UV = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]


def test_torch_scatter_is_compiled_against_the_torch_that_it_runs_with():
    torch, *others = UV["extra-build-dependencies"]["torch-scatter"]
    assert torch == {"requirement": "torch", "match-runtime": True}
    assert others == ["ninja"]


def test_uv_is_told_what_torch_scatter_requires():
    (told,) = UV["dependency-metadata"]
    assert told["name"] == "torch-scatter"
    try:
        required = [each for each in requires("torch-scatter") or [] if "extra ==" not in each]
    except PackageNotFoundError:
        pytest.skip("torch-scatter is not installed")
    assert told["requires-dist"] == required
