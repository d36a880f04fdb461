"""Which settings a command reads: one that it would leave unread is refused."""

from collections.abc import Iterable, Mapping

from recsparse.errors import ConfigError

_FITTED = ("seed", "refit", "model", "training", "new_items", "evaluation", "tracking")
_PREPARED = ("seed", "log", "split", "text", "features", "order")
# What stands at the top of the configuration, sections and keys.
READ_BY: Mapping[str, tuple[str, ...]] = {
    "prepare": _PREPARED,
    "describe": ("log",),
    "train": _FITTED,
    "tune": (*_FITTED, "tuning"),
    "evaluate": ("seed", "evaluation", "tracking"),
    "evaluate-file": ("seed", "evaluation"),
    "backtest": ("backtest", *dict.fromkeys((*_PREPARED, *_FITTED))),
    "promote": ("seed", "promotion", "evaluation", "tracking"),
    "score": ("log",),
    "recommend": ("log",),
    "vectors": ("log",),
    "runs": ("tracking",),
}


def refuse_unread(command: str, overrides: Iterable[str]) -> None:
    """Refuse single settings that a command does not read.

    A file of settings is another matter: it serves all commands of a job. Keys that there are none
    of are left to who reads the settings.

    Args:
        command: Its name; one that is not known here reads all.
        overrides: Assignments, as `--set` takes them.

    Raises:
        ConfigError: If a key is in a section that other commands read, but not this one.
    """
    read = READ_BY.get(command)
    for override in overrides:
        section = override.partition("=")[0].partition(".")[0].strip().strip("\"'")
        others = [name for name, own in READ_BY.items() if section in own]
        if read is not None and section not in read and others:
            raise ConfigError(
                f"--set must name settings that recsparse {command} reads, which are those of "
                f"{', '.join(read)}, but got {override!r}; leave it out, or give it to "
                f"{' or '.join(others)}"
            )
