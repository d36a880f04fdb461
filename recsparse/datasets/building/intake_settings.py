"""Which settings belong to one intake of rows, and which to the dataset as a whole."""

from recsparse.config.config import Config
from recsparse.config.data import LogConfig

# How the files of an intake are read: these say nothing of the rows that are there already.
_COLUMNS = {name for name in LogConfig.model_fields if name.endswith("_column")}
_READING = _COLUMNS | {"strict", "where", "id_type", "timestamp_unit"}
# Each intake sets these anew; the others are as they were the last time.
_ANEW = ("where", "strict")
_SECTIONS = ("log", "split", "text", "features", "order")


def log_of_intake(own: LogConfig, given: LogConfig) -> LogConfig:
    """Return how to read a log that is appended to a dataset.

    Args:
        own: The settings of the dataset.
        given: Of these, the settings of reading that were set win. Conditions and strictness are
            those given alone.

    Returns:
        The settings.
    """
    default = LogConfig()
    anew = {name: getattr(default, name) for name in _ANEW}
    chosen = {
        name: getattr(given, name)
        for name in given.model_fields_set
        if name in _READING or name == "event_weights"
    }
    return own.model_copy(update={**anew, **chosen})


def contradictions(own: Config, given: Config) -> list[str]:
    """Return the settings that would mean another dataset, were they changed for new rows.

    Args:
        own: The settings of the dataset.
        given: Settings for new rows, of which those that were set count.

    Returns:
        Their names, such as `split.kind`. Weights of further events are no contradiction.
    """
    differing = ["seed"] if "seed" in given.model_fields_set and given.seed != own.seed else []
    for section in _SECTIONS:
        wanted, there = getattr(given, section), getattr(own, section)
        differing += [
            f"{section}.{name}"
            for name in type(wanted).model_fields
            if name in wanted.model_fields_set
            and not (section == "log" and name in _READING)
            and not _is_kept(name, getattr(there, name), getattr(wanted, name))
        ]
    return differing


def _is_kept(name: str, there: object, wanted: object) -> bool:
    if name == "event_weights" and isinstance(there, dict) and isinstance(wanted, dict):
        # Without any weights, rows of all types are taken.
        return wanted == there or bool(there and there.items() <= wanted.items())
    return wanted == there
