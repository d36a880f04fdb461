"""The configuration of a search for settings: how it draws, and when it ends."""

from typing import Annotated

from pydantic import Field

from recsparse.config.choices import Sampler
from recsparse.config.section import Section
from recsparse.config.units import Epochs, Unit


class TuningConfig(Section):
    """How a search for settings draws them, and when it ends.

    Attributes:
        sampler: `grid` tries every combination of lists, in their order; `random` draws; `tpe`
            draws by what was good so far (Bergstra et al. 2011); `auto` is `grid` where every
            setting is a list and no budget is set, else `tpe`.
        trials: Most trials, failed and pruned ones included.
        seconds: Most seconds of trials, those of an interrupted search included; a network that is
            training then ends after its epoch, and no other trial is begun.
        jobs: Processes that share the trials, each with the dataset in its memory.
        prune_after: Epochs of a network after which its trial ends where it is worse than the
            median of those before at that epoch; None ends none.
    """

    sampler: Sampler = "auto"
    trials: Annotated[int, Unit("trials")] | None = Field(default=None, ge=1)
    seconds: Annotated[float, Unit("seconds")] | None = Field(default=None, gt=0)
    jobs: Annotated[int, Unit("processes")] = Field(default=1, ge=1)
    prune_after: Epochs | None = Field(default=3, ge=1)
