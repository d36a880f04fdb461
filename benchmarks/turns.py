"""What benchmarks have in common whose contenders take turns in one process."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pandas as pd
import typer

from benchmarks.layer_report import markdown
from benchmarks.prepare_process import machine


def show_rows(title: str, rows: Sequence[dict[str, object]], out: Path | None) -> None:
    """Show a table below a line about the machine.

    Args:
        title: The heading above it.
        rows: Values by column.
        out: A file that gets the same, as markdown; None for none.
    """
    text = f"{machine()}\n{markdown(title, pd.DataFrame(rows))}"
    typer.echo(text)
    if out:
        out.write_text(text, encoding="utf-8")


def median_ratio(theirs: Sequence[float], own: Sequence[float]) -> float:
    """Return how many times as long another takes.

    Args:
        theirs: Its seconds, one number a round.
        own: Ours, of the same rounds.

    Returns:
        The median of the ratios of the rounds.
    """
    return median(each / mine for each, mine in zip(theirs, own, strict=True))
