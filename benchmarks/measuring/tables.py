"""Tables in Markdown."""

import math

import pandas as pd


def markdown(title: str, table: pd.DataFrame) -> str:
    """Return a table as markdown.

    Args:
        title: The heading above it.
        table: Rows and columns.

    Returns:
        The lines; numbers with three digits, missing ones as a dash.
    """
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    lines += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join([f"## {title}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
