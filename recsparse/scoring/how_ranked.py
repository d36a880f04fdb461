"""Counts of a job: for how many users it ranks by their rows, their features, or popularity."""

import logging

import pyarrow as pa

from recsparse.config.choices import OnUnknown
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_scores import RECENT

logger = logging.getLogger(__name__)


class HowRanked:
    """Counts of what scores start from.

    Args:
        trained: The model.
        on_unknown: What is done with users never seen.
    """

    def __init__(self, trained: TrainedModel, on_unknown: OnUnknown) -> None:
        self.users, self.rows = trained.users, trained.rows
        by_popularity = f"by recent popularity ({RECENT})"
        unknown = by_popularity if on_unknown == "popularity" else "not at all"
        self.counts = {"by their rows": 0, "by their features": 0, unknown: 0}

    def add(self, ids: pa.Array | pa.ChunkedArray) -> None:
        """Count users.

        Args:
            ids: Their ids; each counts as often as it is there.
        """
        index = self.users.index_of(ids)
        found = index[index >= 0]
        by_rows = int(self.rows.has_rows(found).sum())
        for how, count in zip(
            self.counts, (by_rows, len(found) - by_rows, len(index) - len(found)), strict=True
        ):
            self.counts[how] += count

    def tell(self, what: str) -> None:
        """Say how many there are, where not all start from rows.

        Args:
            what: What was counted, such as `users`.
        """
        _, *others = self.counts.values()
        if any(others):
            said = [f"{count:,} {how}" for how, count in self.counts.items() if count]
            logger.warning("%s: %s", what, ", ".join(said))
