"""Writes the pages of the reference that are read off the code: `python docs/generate.py`."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from recsparse.cli.main import app
from recsparse.cli.settings_read import READ_BY
from recsparse.config.config import Config
from recsparse.config.key_table import settings
from recsparse.config.meanings import summary_of
from recsparse.config.model_section import known_sections
from recsparse.config.section import Section
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.registry import model_class

REFERENCE = Path(__file__).parent / "reference"


def keys_table(section: str, prefix: str = "") -> str:
    """Lay out the keys of a section.

    Args:
        section: As `Setting.section` has it, such as `log` or `model.kind = ease`.
        prefix: What stands before each key, such as `log.`.

    Returns:
        A table in Markdown, as `recsparse config` shows it.
    """
    rows = [
        "| key | default | unit | values | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in settings():
        if each.section == section:
            default = each.default if each.default == "none" else f"`{each.default}`"
            meaning = each.meaning.replace("|", "\\|")
            facts = f"{default} | {each.unit} | {each.values} | {meaning}"
            rows.append(f"| `{prefix}{each.name}` | {facts} |")
    return "\n".join(rows)


def configuration() -> str:
    """Write the page of every key but those of single models.

    Returns:
        The page.
    """
    page = [
        "# Configuration\n\nOne TOML file, given by `--config`; `--set section.key=value` replaces "
        "a single value; `recsparse config` shows the same in the terminal. A setting that may be "
        "empty is so by the name `none`. The keys of `model` depend on its kind: see "
        "[Models](models/index.md). `model.training` has the keys of `training`, for that model "
        "alone.\n",
        f"## Top level\n\n{keys_table('')}",
    ]
    for name, field in Config.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if isinstance(value, Section) and name != "model":
            table = keys_table(name, f"{name}.")
            page.append(f"\n## {name}\n\n{summary_of(type(value))}\n\n{table}")
    return "\n".join(page) + "\n"


def _lines(command: Any) -> Iterator[str]:
    yield f"## recsparse {command.name}\n\n{_paragraphs(command.help or '')}\n"
    context = typer.Context(command)
    words = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    yield f"```\nrecsparse {command.name} {words}\n```\n"
    if command.name in READ_BY:
        read = ", ".join(f"`{name}`" for name in READ_BY[command.name])
        yield f"`--set` takes settings of these: {read}.\n"
    yield "| option | default | meaning |\n| --- | --- | --- |"
    for option in command.params:
        names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
        if option.param_type_name == "argument":
            names = f"`{(option.metavar or option.name).upper()}`"
        silent = isinstance(option.default, bool) or callable(option.default)
        default = "" if silent or not option.default else f"`{option.default}`"
        meaning = " ".join((getattr(option, "help", "") or "").split()).replace("|", "\\|")
        yield f"| {names} | {default} | {meaning} |"


def _paragraphs(text: str) -> str:
    blocks = text.replace("\b", "").strip().split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks)


def command_line() -> str:
    """Write the page of every command and its options.

    Returns:
        The page.
    """
    page = [
        "# Command line\n\nEvery command ends with status 0, or with 2 where the input or the "
        "options are to blame. Ctrl-C ends it with 130, SIGTERM with 143.\n"
    ]
    group: Any = typer.main.get_command(app)
    for command in group.commands.values():
        if not command.hidden:
            page += [*_lines(command), ""]
    return "\n".join(page)


def model_page(kind: str, model: type[Recommender]) -> str:
    """Write the page of a model: what it is, its settings, its class.

    Args:
        kind: Its `model.kind`.
        model: Its class.

    Returns:
        The page.
    """
    section: type[Section] = typing.get_type_hints(model)["config"]
    summary = re.sub(r"\n {4}", "\n", section.__doc__ or "").partition("\nAttributes:")[0].strip()
    table = keys_table(f"model.kind = {kind}", "model.")
    return (
        f"# {kind}\n\n{summary}\n\n```\nrecsparse train dataset --out model --set "
        f"model.kind={kind}\n```\n\n## Settings\n\n{table}\n\n## Class\n\n"
        f"::: {model.__module__}.{model.__name__}\n    options:\n      heading_level: 3\n"
    )


def pages() -> dict[Path, str]:
    """Write all generated pages.

    Returns:
        Each page's text by its path below `docs/reference`.
    """
    models = {
        Path("models") / f"{kind}.md": model_page(kind, model_class(kind))
        for kind in known_sections()
    }
    return models | {
        Path("configuration.md"): configuration(),
        Path("command-line.md"): command_line(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        (REFERENCE / path).parent.mkdir(exist_ok=True)
        (REFERENCE / path).write_text(text, encoding="utf-8")
