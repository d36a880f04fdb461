"""Options that commands of one kind take together, and how a command takes them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from recsparse.cli.options import (
    AsJson,
    ConfigPath,
    HistoryLog,
    HistoryOf,
    HistoryParts,
    Jobs,
    Memory,
    MostSeconds,
    MostTrials,
    NewItemsTable,
    Overrides,
    Quiet,
    SamplerName,
    SpillFolder,
    TestItems,
    TestUsers,
    Threads,
    UnknownIds,
)
from recsparse.cli.settings_read import refuse_unread
from recsparse.errors import ConfigError

if TYPE_CHECKING:  # which takes a tenth of a second to import
    from recsparse.config.config import Config
    from recsparse.config.data import LogConfig


@dataclass(frozen=True)
class JobOptions:
    """What every job takes: its settings, and how it speaks.

    Attributes:
        config: The TOML configuration.
        overrides: Single settings.
        quiet: Whether nothing is said of the progress.
        as_json: Whether the result is printed for machines.
    """

    config: ConfigPath = None
    overrides: Overrides = None
    quiet: Quiet = False
    as_json: AsJson = False

    def settings(self, *more: str) -> "Config":
        """Return the configuration.

        Args:
            *more: Settings that other options stand for; they count most.

        Returns:
            The configuration of everything.
        """
        from recsparse.config.toml_reader import load_config

        return load_config(self.config, [*(self.overrides or []), *more])


@dataclass(frozen=True)
class WorkOptions:
    """What a job takes that works out of core.

    Attributes:
        memory: What it holds before it spills to disk.
        threads: How many it has.
        spill: Where to.
    """

    memory: Memory = None
    threads: Threads = None
    spill: SpillFolder = None


@dataclass(frozen=True)
class StartOptions:
    """What a job takes that scores: whose histories it starts from.

    Attributes:
        dataset: A dataset.
        history_parts: Its parts.
        history: Logs.
        on_unknown: What to do with ids never seen.
        new_items: Tables of items that came after the training.
    """

    dataset: HistoryOf = None
    history_parts: HistoryParts = None
    history: HistoryLog = None
    on_unknown: UnknownIds = "error"
    new_items: NewItemsTable = None

    def log(self, job: JobOptions) -> "LogConfig":
        """Return how the history is read.

        Args:
            job: Has the settings.

        Returns:
            The settings of a log.

        Raises:
            ConfigError: If single settings are given, but no history that they are of.
        """
        if self.history is None and job.overrides:
            raise ConfigError(
                "--set must name settings by which --history is read, but there is no --history "
                f"that reads {job.overrides[0]!r}; name one, or leave the setting out"
            )
        return job.settings().log


@dataclass(frozen=True)
class RankedOptions:
    """What a job takes that ranks the test part.

    Attributes:
        catalogue: The items that count.
        include_users: The users that count.
    """

    catalogue: TestItems = None
    include_users: TestUsers = None

    def settings(self) -> list[str]:
        """Return the settings that they stand for, none for those that are not given."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [f"evaluation.{name}={value}" for name, value in given if value is not None]


@dataclass(frozen=True)
class TuneOptions:
    """What a search for settings takes: how it draws, and when it ends.

    Attributes:
        sampler: How.
        trials: Most trials.
        seconds: Most seconds.
        jobs: Processes.
    """

    sampler: SamplerName = None
    trials: MostTrials = None
    seconds: MostSeconds = None
    jobs: Jobs = None

    def settings(self) -> list[str]:
        """Return the settings that they stand for, none for those that are not given."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [f"tuning.{name}={value}" for name, value in given if value is not None]


def takes_lists(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take lists of options: each field of a list is an option of the command.

    Args:
        command: A function; its parameters that are one of the classes above are lists.

    Returns:
        A function that takes every option by itself, for typer to read.
    """
    parameters: list[inspect.Parameter] = []
    lists: dict[str, type[Any]] = {}
    for parameter in inspect.signature(command).parameters.values():
        kind = parameter.annotation
        if isinstance(kind, type) and is_dataclass(kind):
            lists[parameter.name] = kind
            parameters += [_option(field.name, field.type, field.default) for field in fields(kind)]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def taking_all(**given: Any) -> None:
        for name, kind in lists.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            if isinstance(given[name], JobOptions):
                name_typed = command.__name__.replace("_", "-")
                refuse_unread(name_typed, given[name].overrides or ())
        command(**given)

    taking_all.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    taking_all.__annotations__ = {each.name: each.annotation for each in parameters}
    return taking_all


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
