"""A page of figures and pictures: one HTML file that needs no other."""

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from recsparse.outputs.claim import Output
from recsparse.outputs.kinds import TextKind
from recsparse.reporting.value_text import value_text

if TYPE_CHECKING:  # which takes a quarter of a second to import
    from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .3rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid #ddd; padding: .15rem .3rem; overflow-wrap: anywhere; }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 0; grid-column: span 1; }
img { max-width: 100%; height: auto; }
"""


PAGE = TextKind(
    "page",
    "a page of figures",
    ("<!-- ", " -->"),
    lambda text: text.startswith("<!DOCTYPE html>") and f"<style>{_STYLE}</style>" in text,
)


def write_page(
    output: Output,
    title: str,
    groups: Mapping[str, Mapping[str, Any]],
    figures: "Mapping[str, Figure]",
) -> None:
    """Write figures and pictures as one HTML file, whole or not at all.

    Args:
        output: The claimed file.
        title: Above everything.
        groups: Names and values by the heading of their table.
        figures: Pictures by their heading.

    Raises:
        OutputError: If the file cannot be written.
    """
    tables = [_table(name, group) for name, group in groups.items()]
    pictures = [_picture(name, figure) for name, figure in figures.items()]
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        f"<main>\n{''.join(tables + pictures)}</main>\n</html>\n"
    )
    with output.file() as aside:
        # The name of a file may hold bytes that are no UTF-8.
        signed = PAGE.signed(text, output.job.digest)
        aside.write_text(signed, encoding="utf-8", errors="replace")


def _table(heading: str, group: Mapping[str, Any]) -> str:
    rows = (
        f"<tr><td>{escape(name)}</td><td>{escape(value_text(value))}</td></tr>\n"
        for name, value in group.items()
    )
    return f"<section>\n<h2>{escape(heading)}</h2>\n<table>\n{''.join(rows)}</table>\n</section>\n"


def _picture(heading: str, figure: "Figure") -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=144, metadata={"Software": None})
    data = b64encode(buffer.getvalue()).decode("ascii")
    return (
        f"<figure>\n<h2>{escape(heading)}</h2>\n"
        f'<img alt="{escape(heading)}" src="data:image/png;base64,{data}">\n</figure>\n'
    )
