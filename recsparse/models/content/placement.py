"""Where new items stand among the known ones: a line from scores by features to a user's scores."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recsparse.models.protocol.cold_scorer import mean_and_deviation


@dataclass(frozen=True)
class Placement:
    """Where new items stand among the known ones.

    A new item gets the score `mean + deviation · (shift + slope · z)`, of a user's scores of the
    known items, where z is its score by features in such deviations.

    Attributes:
        shift: How far new items rise, in deviations.
        slope: What the features count.
    """

    shift: float = 0.0
    slope: float = 1.0

    def place(self, known: Float[Tensor, "b m"], z: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Bring scores of new items to the scale of the known ones.

        Args:
            known: Scores of the known items.
            z: Scores of the new ones, in deviations.

        Returns:
            Scores. Where features say nothing of a user, so that all z are 0, no new item stands
            before a known one.
        """
        start, slope = self.line(known, z)
        return start + slope * z

    def line(
        self, known: Float[Tensor, "b m"], z: Float[Tensor, "b n"]
    ) -> tuple[Float[Tensor, "b 1"], Float[Tensor, "b 1"]]:
        """Return where each user's line from z to scores starts, and its slope.

        Args:
            known: Scores of the known items.
            z: Scores of the new ones, in deviations.

        Returns:
            The score at z = 0, and what z is multiplied by.
        """
        centre, spread, is_spread = mean_and_deviation(known)
        spread = torch.where(is_spread, spread, 0.0)
        is_silent = (z == 0).all(dim=1, keepdim=True)
        start = torch.where(
            is_silent, known.amin(dim=1, keepdim=True), centre + spread * self.shift
        )
        return start, torch.where(is_silent, 0.0, spread * self.slope)
