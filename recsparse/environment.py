"""What the environment variables of the package say."""

import os
from pathlib import Path

import platformdirs

from recsparse.errors import InputError, nearest

INSTRUCTION_SETS = ("avx512bf16", "avx512", "avx2", "base")
_KERNELS = ("auto", *INSTRUCTION_SETS, "off")
_NO = ("", "0", "false", "no", "off")


def wanted_kernels() -> str:
    """Return which compiled kernels `RECSPARSE_KERNELS` names; case and blanks do not matter.

    Returns:
        `auto`, also where it is not set, `off`, or an instruction set.

    Raises:
        InputError: If it says anything else.
    """
    given = os.environ.get("RECSPARSE_KERNELS", "")
    wanted = given.strip().lower() or "auto"
    if wanted not in _KERNELS:
        raise InputError(
            f"the environment variable RECSPARSE_KERNELS must be one of {', '.join(_KERNELS)}, but "
            f"is {given!r}; {nearest(wanted, _KERNELS)}"
        )
    return wanted


def is_on(name: str) -> bool:
    """Say whether a variable that switches something on is set.

    Args:
        name: Of the variable.

    Returns:
        False where it is not set, or is empty, `0`, `false`, `no` or `off`, in capitals or not.
    """
    return os.environ.get(name, "").strip().lower() not in _NO


def cache_folder() -> Path:
    """Return the folder for fetched data: `RECSPARSE_CACHE`, else the system's for this user.

    Outputs that are going to an address are made there, too.

    Returns:
        A folder that need not exist yet.
    """
    given = os.environ.get("RECSPARSE_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("recsparse")
