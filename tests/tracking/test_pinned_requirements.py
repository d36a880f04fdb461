from importlib.metadata import requires, version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from recsparse.tracking import pinned_requirements as module
from recsparse.tracking.pinned_requirements import NEEDED, pinned_requirements


def test_every_requirement_is_the_version_that_runs_here():
    direct, _ = pinned_requirements()
    assert [Requirement(each).name for each in direct] == [*NEEDED]
    for each in map(Requirement, direct):
        (pin,) = each.specifier
        assert pin.operator == "=="
        assert each.specifier.contains(Version(version(each.name)))


def test_what_the_requirements_need_in_turn_is_pinned_too():
    direct, constraints = pinned_requirements()
    assert {*direct} <= {*constraints}
    names = {Requirement(each).name for each in constraints}
    # pydantic needs the first, pandas and matplotlib, by MLflow, the second, torch the third.
    assert {"pydantic-core", "python-dateutil", "sympy"} <= names
    assert not {"recsparse", "pytest", "torch-scatter"} & names


def test_no_version_has_a_label_that_no_registry_knows(monkeypatch):
    class Installed:
        version = "2.13.0+cpu"
        requires = ("numpy>=1; extra == 'more'", "nowhere>=1")

    found = {"torch": Installed(), "numpy": Installed()}

    def find(name):
        if name not in found:
            raise module.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(module, "distribution", find)
    assert [*module._closure(["torch"])] == [("torch", "2.13.0")]


@pytest.mark.parametrize("name", NEEDED)
def test_each_needed_package_is_a_dependency_of_ours(name):
    ours = {Requirement(each).name.lower() for each in requires("recsparse") or ()}
    assert name in ours
