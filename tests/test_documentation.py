"""What the README and the guide tell a reader to do works as written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from recsparse import layers
from recsparse.cli.main import app

ROOT = Path(__file__).parents[1]
LAYERS = ROOT / "docs" / "tutorial" / "layers.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def python_of(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (example,) = python_of(ROOT / "README.md")
    exec(compile(example, "README.md", "exec"), {})


def test_the_python_of_the_guide_to_layers_runs_from_top_to_bottom(tmp_path: Path) -> None:
    script = tmp_path / "layers.py"
    script.write_text("\n".join(python_of(LAYERS)), encoding="utf-8")
    # torch.export cannot look through the check of shapes, so the guide has a process of its own;
    # that compiled code gives the same numbers is tested where it takes seconds less.
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TORCHDYNAMO_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "pairs" in done.stdout


@pytest.mark.parametrize("name", layers.__all__)
def test_every_layer_shows_its_shapes_and_an_example_and_is_in_the_reference(name: str) -> None:
    layer = getattr(layers, name)
    assert ">>>" in layer.__doc__
    # Layers of two to four axes refer to that of one.
    first = getattr(layers, re.sub(r"[234]d$", "1d", name), layer)
    assert "Shapes:" in first.__doc__
    reference = (ROOT / "docs" / "reference" / "api" / "layers.md").read_text(encoding="utf-8")
    assert f"::: {layer.__module__}\n" in reference


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_exist(page: Path) -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    used = re.findall(r"^(?:\$ )?recsparse ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)
    assert set(used) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    used = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.M)
    assert set(used) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []
