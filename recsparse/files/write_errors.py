"""What an error of the system means for an output: which one, what was wrong, how to mend it."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsparse.errors import OutputError, RecsparseError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Whatever file it was: these come from writing alone.
_OF_WRITING = (*NO_SPACE, errno.EROFS)
_CURES = {
    errno.EACCES: "make its folder writable, or name another output",
    errno.EPERM: "make its folder writable, or name another output",
    errno.EROFS: "write to a disk that is not read-only",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EBUSY: "name a folder inside of it, where it is the root of a mounted disk",
    errno.EXDEV: "name a folder inside of it, where it is the root of a mounted disk",
}


@contextmanager
def as_output_errors(target: Path, *places: Path) -> Iterator[None]:
    """Turn what the system says of an output into an `OutputError`; errors of others pass.

    Args:
        target: The output.
        *places: Where it is written meanwhile.

    Yields:
        Nothing.

    Raises:
        OutputError: If the disk is full or read-only, or the error names the output or a place.
        OSError: What else there is.
    """
    try:
        yield
    except OSError as error:
        is_told = isinstance(error, RecsparseError)
        if is_told or not (error.errno in _OF_WRITING or _is_about(error, (target, *places))):
            raise
        raise OutputError(_message(target, error)) from error


def _message(target: Path, error: OSError) -> str:
    what = error.strerror or str(error)
    named = error.filename
    if isinstance(named, str) and target.parent not in Path(named).absolute().parents:
        target = Path(named)  # such as the folder to spill to, on a disk of its own
    if error.errno in NO_SPACE:
        return (
            f"{target} needs more room than the disk has ({what}); what was there before is "
            "untouched; free some space or write to another disk"
        )
    cure = _CURES.get(error.errno or 0, "name another output")
    return (
        f"{target} must be writable, but it is not ({what}); what was there before is untouched; "
        f"{cure}"
    )


def _is_about(error: OSError, places: tuple[Path, ...]) -> bool:
    # Arrow's errors have the name in the text alone.
    names = [name for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    texts = [*map(os.fsdecode, names), str(error)]
    # `out` is no part of `out.csv`, but of `out/part`.
    found = (re.escape(str(place)) + r"(?![^/'\"\s,:;)])" for place in places)
    return any(re.search(place, text) for place in found for text in texts)
