"""Where the public data lies that commands measure: the one folder that `RECSPARSE_DATA` names."""

import os
from pathlib import Path

from recsparse.errors import MissingFileError

VARIABLE = "RECSPARSE_DATA"
_PAGE = "docs/reference/data.md lists the sets, their files and where they come from"


def public_path(name: str) -> Path:
    """Return a file or folder of a public data set.

    Args:
        name: Its path in the folder of public data, such as `gowalla/train.parquet`.

    Returns:
        The path; something is there.

    Raises:
        MissingFileError: If the variable is not set, or nothing is at the path.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise MissingFileError(
            f"the environment variable {VARIABLE} must name the folder of public data, of which "
            f"{name} is needed, but it is not set; {_PAGE}"
        )
    path = Path(folder).expanduser() / name
    if not path.exists():
        raise MissingFileError(
            f"{VARIABLE} must name a folder that holds {name}, but {path} does not exist; {_PAGE}"
        )
    return path
