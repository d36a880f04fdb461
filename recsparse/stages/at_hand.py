"""What stages read, fetched from where it lies; the reporter shows what is waited for."""

from pathlib import Path

from recsparse.files.addresses import is_address, last_name
from recsparse.files.filesystems import fetched
from recsparse.reporting.progress import Reporter


def at_hand(place: str | Path, reporter: Reporter) -> Path:
    """Return a local path to read from.

    Args:
        place: A path, or the address of a file or a folder on another filesystem.
        reporter: Shows that it is fetched.

    Returns:
        The path itself, or that of a copy, which is gone when the process ends.

    Raises:
        MissingFileError: If there is nothing at the address.
        InputError: If it cannot be read.
    """
    if not is_address(place):
        return fetched(place)
    with reporter.task(f"fetching {last_name(place)}"):
        return fetched(place)
