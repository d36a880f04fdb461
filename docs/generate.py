"""Writes the pages of the reference that are read off the code: `python docs/generate.py`."""

import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo

from recsparse.cli.main import app
from recsparse.config.config import Config
from recsparse.config.model_section import known_sections
from recsparse.config.section import Section
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.registry import model_class

REFERENCE = Path(__file__).parent / "reference"
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_PLAIN = {str: "text", int: "integer", float: "number", bool: "true, false", types.NoneType: "none"}


def meanings(section: type[Section]) -> dict[str, str]:
    """Read what each key means off the docstrings of a section and its bases.

    Args:
        section: A section of the configuration.

    Returns:
        The meaning of each key that the docstrings name.
    """
    found: dict[str, str] = {}
    for owner in reversed(section.__mro__):
        text = re.sub(r"\n {4}", "\n", owner.__doc__ or "").partition("Attributes:")[2]
        for key, meaning in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE):
            found[key] = " ".join(meaning.split())
    return found


def _values(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Annotated:
        return _values(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(annotation))
    inner = [_values(kind) for kind in typing.get_args(annotation) if kind is not Ellipsis]
    if typing.get_origin(annotation) in {tuple, list}:
        return f"list of {inner[0]}"
    if typing.get_origin(annotation) is dict:
        return f"table of {inner[1]}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "a section"
    return ", ".join(dict.fromkeys(inner)) or _PLAIN.get(annotation) or annotation.__name__


def _bounds(field: FieldInfo) -> str:
    found = [
        f"{_SIGNS[name]} {getattr(rule, name)}"
        for rule in field.metadata
        for name in _SIGNS
        if getattr(rule, name, None) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, Section):
        unlike = value.model_dump(exclude_defaults=True)
        return ", ".join(f"`{key} = {json.dumps(of, default=str)}`" for key, of in unlike.items())
    return f"`{json.dumps(value, default=str)}`"


def keys_table(section: type[Section], prefix: str) -> str:
    """Lay out the keys of a section.

    Args:
        section: The section.
        prefix: What stands before each key, such as `log.`.

    Returns:
        A table in Markdown; keys that are sections themselves, and `kind`, are left out.
    """
    explained = meanings(section)
    rows = ["| key | default | values | meaning |", "| --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        if (prefix, name) != ("model.", "kind"):
            cells = (f"`{prefix}{name}`", _default(field), _values(field.annotation))
            meaning = explained.get(name, "").replace("|", "\\|")
            rows.append(f"| {cells[0]} | {cells[1]} | {cells[2]}{_bounds(field)} | {meaning} |")
    return "\n".join(rows)


def configuration() -> str:
    """Write the page of every key but those of single models.

    Returns:
        The page.
    """
    page = [
        "# Configuration\n\nOne TOML file, given by `--config`; `--set section.key=value` replaces "
        "a single value. A setting that may be empty is so by the name `none`. The keys of "
        "`model` depend on its kind: see [Models](models/index.md). `model.training` has the keys "
        "of `training`, for that model alone.\n",
    ]
    top = [name for name, field in Config.model_fields.items() if _is_section(field) is None]
    explained = meanings(Config)
    page += ["## Top level\n", "| key | default | meaning |\n| --- | --- | --- |"]
    page += [f"| `{n}` | {_default(Config.model_fields[n])} | {explained[n]} |" for n in top]
    for name, field in Config.model_fields.items():
        section = _is_section(field)
        if section is not None and name != "model":
            summary = (section.__doc__ or "").split("\n\n", maxsplit=1)[0]
            page += [f"\n## {name}\n\n{summary}\n", keys_table(section, f"{name}.")]
    return "\n".join(page) + "\n"


def _is_section(field: FieldInfo) -> type[Section] | None:
    value = field.get_default(call_default_factory=True)
    return type(value) if isinstance(value, Section) else None


def _lines(command: Any) -> Iterator[str]:
    yield f"## recsparse {command.name}\n\n{_paragraphs(command.help or '')}\n"
    context = typer.Context(command)
    words = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    yield f"```\nrecsparse {command.name} {words}\n```\n"
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
    table = keys_table(section, "model.")
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
