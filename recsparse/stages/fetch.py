"""Before the first stage: a public data set from where it is published."""

from pathlib import Path

from recsparse.datasets.public.catalogue import fetch_public
from recsparse.files.addresses import local_path
from recsparse.reporting.progress import SILENT, Reporter


def fetch(name: str, out: str | Path | None = None, reporter: Reporter = SILENT) -> Path:
    """Return the folder of a public data set, fetched and checked unless it is there.

    Args:
        name: Its name, such as `movielens-100k`.
        out: The folder to fill; without one, a folder in the user's cache.
        reporter: Shows the progress in percent.

    Returns:
        The folder; see `recsparse.datasets.public.catalogue.fetch_public` for its files.
    """
    with reporter.task(f"fetching {name}", 100) as advance:
        return fetch_public(
            name,
            None if out is None else local_path(out),
            # Some servers do not say how much there is.
            lambda done, total: advance(100 * done // total if total else 0),
        )
