"""What the README and the pages tell a reader to do works as written."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer

from docs.generate import keys_table, pages
from docs.screens import terminal_svg
from recsparse import layers
from recsparse.cli.main import app
from recsparse.config.config import Config
from recsparse.config.model_section import known_sections
from recsparse.config.section import Section
from recsparse.metrics.definitions import DEFINITIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = {DOCS / "reference" / path for path in pages()}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(set(DOCS.rglob("*.md")) - GENERATED),
]
EXPERIMENTS = sorted(set((DOCS / "experiments").glob("*.md")) - {DOCS / "experiments/index.md"})
OF_LAYERS = [
    "tutorial/layers",
    "how-to/from-spconv",
    "how-to/from-minkowskiengine",
    "how-to/from-implicit",
    "reference/layers",
]


def python_of(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (example,) = python_of(ROOT / "README.md")
    exec(compile(example, "README.md", "exec"), {})


@pytest.mark.parametrize("name", OF_LAYERS)
def test_the_python_of_a_page_runs_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(python_of(DOCS / f"{name}.md")), encoding="utf-8")
    # torch.export cannot look through the check of shapes, so a page has a process of its own;
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


@pytest.mark.slow
def test_everything_in_the_first_hour_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    text = (DOCS / "tutorial" / "first-hour.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for language, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(compile(block, "first-hour.md", "exec"), names)
            continue
        for line in block.splitlines():
            command = [sys.executable, "-c", "from recsparse.cli.main import run; run()"]
            subprocess.run(
                [*command, *shlex.split(line)[1:]],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                check=True,
                timeout=300,
            )
    assert (tmp_path / "log.html").stat().st_size > 0
    assert (tmp_path / "report" / "report.html").is_file()
    assert pq.read_table("top.parquet").column_names == ["user_id", "item_id", "rank", "score"]


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
    targets = {link: Path(os.path.normpath(page.parent / link)) for link in links}
    missing = [link for link, to in targets.items() if not to.exists() and to not in GENERATED]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_is_longer_than_300_lines(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 300


def test_every_picture_is_shown_is_small_and_has_its_maker() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    makers = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    pictures = [*(DOCS / "images").iterdir()]
    assert pictures
    for picture in pictures:
        assert f"images/{picture.name})" in text, picture.name
        assert f"`{picture.stem}`" in makers, picture.name
        assert picture.stat().st_size < 150_000, picture.name


def test_a_terminal_is_drawn_with_its_text_and_loads_nothing() -> None:
    picture = terminal_svg("$ recsparse runs\nno runs")
    assert "recsparse" in picture
    assert picture.startswith("<svg")
    assert re.findall(r"url\(.?https?", picture) == []


@pytest.mark.parametrize("page", EXPERIMENTS, ids=lambda page: page.stem)
def test_every_question_of_an_experiment_has_an_answer_and_one_table_that_fits_a_phone(
    page: Path,
) -> None:
    questions = re.split(r"^\*\*(?=[^*\n]+\?\*\* \S)", page.read_text("utf-8"), flags=re.M)[1:]
    assert questions
    for question in questions:
        headers = re.findall(r"^(\|.*\|)\n\| ---", question, re.M)
        assert [header.count("|") <= 6 for header in headers] == [True], question.splitlines()[0]


def test_the_table_of_options_that_protect_has_each_with_its_commands() -> None:
    page = (DOCS / "reference" / "outputs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(--[\w-]+)` \| ([^|]+) \|", page, re.M)
    listed = {(option, name) for option, of in rows for name in re.findall(r"`([\w-]+)", of)}
    group: Any = typer.main.get_command(app)
    options = {option for option, _ in rows}
    there = {
        (option, command.name)
        for command in group.commands.values()
        for param in command.params
        for option in options & {*param.opts}
    }
    assert listed == there
    assert len(options) >= 7


def test_every_page_is_in_the_navigation() -> None:
    entries = set(re.findall(r"[\w-]+(?:/[\w-]+)*\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    below = {page for page in PAGES if page.is_relative_to(DOCS)} | GENERATED
    assert entries == {page.relative_to(DOCS).as_posix() for page in below}


def test_every_key_of_the_configuration_is_in_the_reference_with_its_meaning() -> None:
    text = "\n".join(pages().values())
    for section in sections(Config):
        for name, field in section.model_fields.items():
            if name != "kind" and not is_section(field.default):
                assert re.search(rf"^\| `[\w.]*{name}` (\| \S.* ){{4}}\|$", text, re.M), name
    table = keys_table("training", "training.")
    assert "| `training.epochs` | `30` | epochs | integer ≥ 1 | Upper bound of passes" in table


def is_section(value: object) -> bool:
    return isinstance(value, Section)


def sections(section: type[Section]) -> list[type[Section]]:
    below = [type(field.default) for field in section.model_fields.values()]
    found = [kind for kind in below if issubclass(kind, Section)]
    models = list(known_sections().values())
    return [section, *found, *models]


def test_every_metric_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in DEFINITIONS)


def test_every_kind_of_model_is_in_the_table_of_models() -> None:
    text = (DOCS / "reference" / "models" / "index.md").read_text(encoding="utf-8")
    kinds = {path.stem for path in pages() if path.parent.name == "models"}
    assert set(re.findall(r"\[`(\w+)`\]\((?:\w+)\.md\)", text)) == kinds
