"""Names of slices in a configuration: `history`, `popularity`, `users.gender`, `items.genre`."""

from typing import Annotated

from pydantic import AfterValidator

from recsparse.errors import nearest

COLUMNS, OF_USERS, OF_ITEMS = "columns", "users.", "items."
NAMES = ("history", "users", "items", "popularity", "time", COLUMNS)


def _slice_name(name: str) -> str:
    is_column = name.startswith((OF_USERS, OF_ITEMS)) and not name.endswith(".")
    if name not in NAMES and not is_column:
        raise ValueError(
            f"it must be one of {', '.join(NAMES)}, or a column of a table as in users.gender or "
            f"items.genre; {nearest(name, NAMES)}"
        )
    return name


SliceName = Annotated[str, AfterValidator(_slice_name)]
