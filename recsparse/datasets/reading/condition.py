"""Condition: what must hold for a row of a log to be read."""

from dataclasses import dataclass

from recsparse.datasets.reading.timestamps import NumberUnit


@dataclass(frozen=True)
class Condition:
    """An SQL condition on the rows of a log.

    Attributes:
        sql: The condition. Whatever its type, the time column is a timestamp without a zone, UTC,
            in it, and null where it cannot be read.
        time_column: Name of the time column, which need not be there.
        unit: What numbers in the time column count.
    """

    sql: str
    time_column: str
    unit: NumberUnit = "auto"
