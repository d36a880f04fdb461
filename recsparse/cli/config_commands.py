"""What can be set."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsparse.cli.app import app
from recsparse.cli.loading import loading_libraries
from recsparse.cli.terminal import show_json
from recsparse.errors import InputError, nearest
from recsparse.reporting.progress import SILENT

if TYPE_CHECKING:  # which takes a tenth of a second to import
    from recsparse.config.key_table import Setting


@app.command()
def config(
    section: Annotated[
        str | None, typer.Argument(help="A section such as log, or a kind of model such as ease.")
    ] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print a file of all defaults.")] = False,
    schema: Annotated[
        bool, typer.Option("--json-schema", help="Print a JSON schema, for editors.")
    ] = False,
) -> None:
    """Show every setting with its default, its unit and what it means."""
    with loading_libraries(SILENT):
        from recsparse.config.key_table import commented_toml, json_schema, settings

    if schema:
        show_json(json_schema())
    elif toml:
        typer.echo(commented_toml(), nl=False)
    else:
        _show(_chosen(settings(), section))


def _chosen(found: "list[Setting]", section: str | None) -> "list[Setting]":
    if section is None:
        return found
    chosen = [each for each in found if section in _names(each)]
    if not chosen:
        known = list(dict.fromkeys(name for each in found for name in _names(each)))
        raise InputError(
            f"the section must be one of {', '.join(known)}, but is {section!r}; "
            f"{nearest(section, known)}"
        )
    return chosen


def _names(setting: "Setting") -> list[str]:
    section, _, kind = setting.section.partition(".kind = ")
    return [name for name in (section, kind) if name]


def _show(chosen: "list[Setting]") -> None:
    table = Table("key", "default", "unit", "values", "meaning")
    section = ""
    for each in chosen:
        if each.section != section:
            section = each.section
            table.add_section()
            table.add_row(Text(section, style="bold"), "", "", "", "")
        cells = (each.name, each.default, each.unit, each.values, each.meaning)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
