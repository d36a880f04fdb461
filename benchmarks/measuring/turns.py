"""What benchmarks have in common whose contenders take turns in one process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import pandas as pd
import typer

from benchmarks.measuring.measured_process import machine
from benchmarks.measuring.tables import markdown

Rounds = Annotated[int, typer.Option(help="Turns of each contender.", min=1)]
Threads = Annotated[int, typer.Option(help="Threads of torch.", min=1)]
Out = Annotated[Path | None, typer.Option(help="File of the table, as markdown.")]


def show_rows(
    title: str, rows: Sequence[dict[str, object]], out: Path | None, further: bool = False
) -> None:
    """Show a table below a line about the machine.

    Args:
        title: The heading above it.
        rows: Values by column.
        out: A file that gets the same, as markdown; None for none.
        further: Whether the file has tables already, which stay.
    """
    text = f"{machine()}\n{markdown(title, pd.DataFrame(rows))}"
    typer.echo(text)
    if out:
        before = out.read_text(encoding="utf-8") if further else ""
        out.write_text(before + text, encoding="utf-8")


def row_of(
    like: str, taken: Mapping[str, Sequence[float]], own: str, title: str = "ours"
) -> dict[str, object]:
    """Return a row of the table.

    Args:
        like: What was measured.
        taken: The milliseconds of each contender, one number per round.
        own: The contender that the others are compared with.
        title: How the columns of ratios call it.

    Returns:
        The median of each contender, then how many times as long each other one takes: the median
        of the ratios of the rounds.
    """
    row: dict[str, object] = {"like": like}
    row |= {name: median(values) for name, values in taken.items()}
    for name, values in taken.items():
        if name != own:
            ratios = [theirs / mine for theirs, mine in zip(values, taken[own], strict=True)]
            row[f"{name} ÷ {title}"] = median(ratios)
    return row
