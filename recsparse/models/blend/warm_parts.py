"""The parts of a fitted blend that the parts of another one continue from."""

from collections.abc import Sequence

from recsparse.config.models import PartConfig
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.warm_start import WarmStart


def fitted_parts(warm_start: WarmStart | None) -> list[WarmStart]:
    """Return what the parts of a blend may continue from.

    Args:
        warm_start: A fitted blend; None for a fit that continues from nothing.

    Returns:
        Its parts.
    """
    if warm_start is None:
        return []
    parts: list[Recommender] = warm_start.model.parts  # type: ignore[attr-defined]
    return [WarmStart(part, warm_start.items) for part in parts]


def start_of_part(
    fitted: Sequence[WarmStart], config: PartConfig, configs: Sequence[PartConfig]
) -> WarmStart | None:
    """Return the part of the same configuration, else a spare one that was trained otherwise.

    Args:
        fitted: What may be continued from.
        config: Settings of the part.
        configs: Those of all parts.

    Returns:
        What the part continues from; None where nothing fits.
    """
    # The default's training follows from the size of the log, which grows.
    training = {"training", "dropout"}
    wanted = config.model_dump(exclude=training)
    same = [old for old in fitted if old.model.config == config]
    spare = [old for old in fitted if old.model.config not in configs]
    alike = [old for old in spare if old.model.config.model_dump(exclude=training) == wanted]
    return next(iter([*same, *alike]), None)
