"""The command that all others hang on."""

import typer

app = typer.Typer(
    name="recsparse",
    help="Recommender models with sparse convolutions, from Parquet logs to scored Parquet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
