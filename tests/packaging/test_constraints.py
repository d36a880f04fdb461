"""What setup installs must be installable by the oldest Python that the package names."""

import re
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]


def needed(package: Distribution) -> SpecifierSet:
    """Return the versions of Python that a package names, all where it names none."""
    named = [line for key, line in package.metadata.items() if key == "Requires-Python"]
    return SpecifierSet(",".join(named))


def test_every_pinned_version_runs_on_the_oldest_python_that_is_named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    pinned = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    installed = {
        re.sub(r"[-_.]+", "-", each.name).lower(): each for each in distributions() if each.name
    }
    looked_at = [installed[name] for name in pinned if name in installed]
    too_new = [
        f"{each.name} {each.version} needs {needed(each)}"
        for each in looked_at
        if not needed(each).contains(oldest)
    ]
    assert len(looked_at) > len(pinned) / 2
    assert not too_new, f"Python {oldest} cannot install {too_new}; pin older versions"
