"""Public logs with features of the items."""

from collections.abc import Mapping
from dataclasses import dataclass

import typer


@dataclass(frozen=True)
class FeaturedLog:
    """A public log, and what is known of its items.

    Attributes:
        groups: Of each feature, its name in tables and its name for `model.features`.
        settings: What is read of the items.
        log: The file of the log.
        has_items: Whether there is a table of items; else the log's own texts are the features, of
            training rows alone, so that cold items have none.
        has_times: Whether users have a last item.
    """

    groups: Mapping[str, str]
    settings: tuple[str, ...]
    log: str = "interactions.parquet"
    has_items: bool = True
    has_times: bool = False


FEATURED_LOGS: Mapping[str, FeaturedLog] = {
    "amazon-musical-instruments-5core": FeaturedLog(
        {"reviews": "reviews"},
        ("text.log_columns=['review_text','summary']",),
        has_items=False,
        has_times=True,
    ),
    "lastfm-2k-hetrec": FeaturedLog({"tags": "words"}, ("text.columns=['text']",)),
    "amazon-beauty": FeaturedLog(
        {"attributes": "words"},
        ("log.timestamp_column=position", "text.columns=['attributes']"),
        has_times=True,
    ),
    "movielens-1m": FeaturedLog(
        {"genres": "categories", "year": "year", "plot": "words"},
        ("text.columns=['plot']", "features.categories=['categories','year']"),
        log="positives_timestamped.parquet",
        has_times=True,
    ),
    "citeulike-t": FeaturedLog(
        {"words": "words", "tags": "tags"},
        ("text.columns=['text']", "features.categories=['tags']"),
    ),
}


def log_of(name: str) -> FeaturedLog:
    """Return a log by the name of its folder.

    Args:
        name: Of a public data set.

    Returns:
        The log.

    Raises:
        typer.BadParameter: If its features are not measured here.
    """
    if name not in FEATURED_LOGS:
        raise typer.BadParameter(f"the data must be some of {[*FEATURED_LOGS]}, but got {name!r}")
    return FEATURED_LOGS[name]
