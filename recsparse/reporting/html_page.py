"""Pages of figures and pictures: one HTML file each, which needs no other."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recsparse.reporting.value_text import value_text

if TYPE_CHECKING:  # which takes a quarter of a second to import
    from matplotlib.figure import Figure

_TEMPLATE = "page.html.jinja"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What is read.
        value: What rows are sorted by; empty where there is none.
        is_best: Whether it stands out.
        is_grey: Whether it steps back.
    """

    text: str
    value: int | float | str = ""
    is_best: bool = False
    is_grey: bool = False

    @classmethod
    def of(cls, value: Any) -> "Cell":
        """Return the cell of a value.

        Args:
            value: A number, a text, or a list of texts.

        Returns:
            The cell; NaN sorts behind all numbers.
        """
        is_number = isinstance(value, (int, float)) and value == value
        return cls(value_text(value), value if is_number else "")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        cells: The first one is the name of the row.
        is_grey: Whether it steps back.
    """

    cells: Sequence[Cell]
    is_grey: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table.

    Attributes:
        rows: Rows of as many cells as the header has.
        header: Names of the columns, by which the table can be sorted; none for pairs.
        heading: Above it.
    """

    rows: Sequence[Row]
    header: Sequence[str] = ()
    heading: str = ""

    @classmethod
    def of_pairs(cls, heading: str, pairs: Mapping[str, Any]) -> "PageTable":
        """Return a table of names and values.

        Args:
            heading: Above it.
            pairs: What to show.

        Returns:
            The table.
        """
        rows = [Row([Cell(name), Cell.of(value)]) for name, value in pairs.items()]
        return cls(rows, heading=heading)


@dataclass(frozen=True)
class PageList:
    """A numbered list.

    Attributes:
        heading: Above it.
        entries: Texts, and whether each is marked.
    """

    heading: str
    entries: Sequence[tuple[str, bool]]


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        heading: Above it; none where it is empty.
        notes: Sentences below the heading.
        tables: Tables.
        lists: Lists, below the tables.
        pictures: Addresses of pictures by their headings, below the lists.
        in_cards: Whether they stand side by side where the page is wide.
        are_wide: Whether cards take more width.
        is_folded: Whether it opens at a click.
    """

    heading: str = ""
    notes: Sequence[str] = ()
    tables: Sequence[PageTable] = ()
    lists: Sequence[PageList] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)
    in_cards: bool = False
    are_wide: bool = False
    is_folded: bool = False


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes:
        title: Above everything.
        about: Sentences on what it is about.
        lead: What it comes to, in sentences.
        sections: Its parts.
    """

    title: str
    about: Sequence[str] = ()
    lead: Sequence[str] = ()
    sections: Sequence[Section] = ()

    def html(self) -> str:
        """Return the page as HTML, which asks for no other file.

        Returns:
            A text that ends with a new line.
        """
        loader = FileSystemLoader(Path(__file__).parent)
        templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
        )
        return templates.get_template(_TEMPLATE).render(page=self)


def picture_source(figure: "Figure") -> str:
    """Return a picture as an address that holds it.

    Args:
        figure: A figure of matplotlib.

    Returns:
        A `data:` address of SVG, the same for the same figure.
    """
    from matplotlib import rc_context

    buffer = BytesIO()
    with rc_context({"svg.hashsalt": "recsparse"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{b64encode(buffer.getvalue()).decode('ascii')}"
