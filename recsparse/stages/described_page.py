"""The page of `describe`: figures and pictures of a log or a dataset."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recsparse.outputs.claim import Output
from recsparse.outputs.kinds import TextKind
from recsparse.reporting.html_page import Page, PageTable, Section, picture_source

if TYPE_CHECKING:  # which takes a quarter of a second to import
    from matplotlib.figure import Figure

_GENERATOR = '<meta name="generator" content="recsparse">'
# A line of the style that pages of older builds have, which did not name what made them.
_OLDER_STYLE = """
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1.5rem; }
"""
_SIGNS = (_GENERATOR, _OLDER_STYLE)

PAGE = TextKind(
    "page",
    "a page of figures",
    ("<!-- ", " -->"),
    lambda text: (
        text.startswith("<!DOCTYPE html>") and (_GENERATOR in text or _OLDER_STYLE in text)
    ),
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
    tables = [PageTable.of_pairs(name, group) for name, group in groups.items()]
    pictures = {name: picture_source(figure) for name, figure in figures.items()}
    section = Section(tables=tables, pictures=pictures, in_cards=True)
    with output.file() as aside:
        # The name of a file may hold bytes that are no UTF-8.
        signed = PAGE.signed(Page(title, sections=[section]).html(), output.job.digest)
        aside.write_text(signed, encoding="utf-8", errors="replace")
