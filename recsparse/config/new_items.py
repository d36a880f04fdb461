"""The configuration of new items: how they are ranked in one list with the known ones."""

from pydantic import Field

from recsparse.config.section import Section
from recsparse.config.units import Share


class NewItemsConfig(Section):
    """How items without a training row are ranked, where a part of the model reads features.

    Attributes:
        rank: Rank them in one list with the known items; without it no list has them.
        most_lost: How far they may rise: the share of the validation metric over targets that are
            known items that may be lost to them.
        held_out: Where validation has too few rows of new items, the share of the known items that
            is taken for new to find their place: the parts that read features are fitted once more
            without the rows of these.
    """

    rank: bool = True
    most_lost: Share = Field(default=0.01, ge=0, lt=1)
    held_out: Share = Field(default=0.1, gt=0, lt=1)
