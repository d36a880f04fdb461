"""DataSettings: how the rows that a model knows were read, weighed, split and fitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recsparse.config.config import Config
from recsparse.config.data import LogConfig
from recsparse.config.toml_reader import parse_config

SECTIONS = ("log", "split", "text", "features", "order")
LAST_SECOND = "last_training_second"


@dataclass(frozen=True)
class DataSettings:
    """The settings of the dataset that a model was trained on.

    Attributes:
        sections: The sections `log`, `split`, `text`, `features` and `order`; empty where they
            are not known, which means the defaults.
        last_training_second: The second from which the ages of rows count, for
            `log.half_life_days`; None where no training row has a time.
    """

    sections: Mapping[str, Any] = field(default_factory=dict)
    last_training_second: int | None = None

    @classmethod
    def of(cls, config: Config, counts: Mapping[str, int]) -> "DataSettings":
        """Return the settings of a dataset.

        Args:
            config: The configuration that it was made with.
            counts: What was counted as it was made.

        Returns:
            Its settings.
        """
        sections = config.model_dump(mode="json", include={*SECTIONS}, exclude_none=True)
        return cls(sections, counts.get(LAST_SECOND))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DataSettings":
        """Return the settings that `to_dict` wrote.

        Args:
            values: A dictionary; an empty one knows nothing.

        Returns:
            The settings.
        """
        sections = {name: values[name] for name in SECTIONS if name in values}
        return cls(sections, values.get(LAST_SECOND))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for TOML.

        Returns:
            The sections, and `last_training_second`.
        """
        return {LAST_SECOND: self.last_training_second, **self.sections}

    def config(self) -> Config:
        """Return the settings as a configuration, whose other sections have their defaults.

        Returns:
            The configuration.

        Raises:
            ConfigError: If a setting is unknown.
        """
        return parse_config(dict(self.sections), source="the dataset of the model")

    def laid_over(self, config: Config) -> Config:
        """Return a configuration whose sections on data say what the dataset was made with.

        Args:
            config: What models are fitted by.

        Returns:
            The configuration as it was used.
        """
        own = self.config()
        return config.model_copy(update={name: getattr(own, name) for name in SECTIONS})

    def log_with(self, given: LogConfig) -> LogConfig:
        """Return how to read a log: as the dataset did, but for the settings that are given.

        Args:
            given: Of these, the settings that were set, whatever their value, win key by key.

        Returns:
            The settings.
        """
        chosen = {name: getattr(given, name) for name in given.model_fields_set}
        return self.config().log.model_copy(update=chosen)
