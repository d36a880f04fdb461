"""The command to which all others belong."""

from importlib.metadata import version
from typing import Annotated

import typer

app = typer.Typer(
    name="recsparse",
    help="Recommender models with sparse convolutions, from Parquet logs to scored Parquet.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)


def _show_version(is_asked: bool | None) -> None:
    if is_asked:
        typer.echo(f"recsparse {version('recsparse')}")
        raise typer.Exit


@app.callback()
def _main(
    is_asked: Annotated[
        bool | None,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = None,
) -> None:
    """Options of the command itself; its help is that of the application."""
