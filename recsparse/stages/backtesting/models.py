"""The models of a backtest: kinds by name, or configurations."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from recsparse.config.config import Config
from recsparse.config.toml_reader import load_config, parse_config
from recsparse.errors import InputError
from recsparse.files.addresses import last_name

# What a model's own file says; the rest is of the backtest as a whole.
_OF_MODEL = ("model", "training", "new_items", "refit")


def models_of(
    given: Sequence[str | Path] | Mapping[str, Config], config: Config
) -> dict[str, Config]:
    """Return the configuration of each model.

    Args:
        given: Kinds, such as `ease`, and TOML files, of which the sections `model`, `training` and
            `new_items` and the key `refit` are read; or configurations by name.
        config: Settings of all models; that of a kind has its sections `training`, `new_items`.

    Returns:
        Configurations by kind or by the name of the file.

    Raises:
        InputError: If there is no model, or two have one name.
        ConfigError: If a kind is unknown, or a file breaks a rule.
    """
    if isinstance(given, Mapping):
        named = [(name, _laid_over(config, own)) for name, own in given.items()]
    else:
        named = [_named(str(each), config) for each in given]
    names = [name for name, _ in named]
    if not names or len({*names}) < len(names):
        raise InputError(
            f"models must be at least one, of different names, but are {', '.join(names) or 'none'}"
        )
    return dict(named)


def _named(model: str, config: Config) -> tuple[str, Config]:
    if model.endswith(".toml"):
        return last_name(model).removesuffix(".toml"), _laid_over(config, load_config(model))
    if model == config.model.kind:
        return model, config
    parsed = parse_config({"model": {"kind": model}}, source="--models")
    return model, config.model_copy(update={"model": parsed.model})


def _laid_over(config: Config, own: Config) -> Config:
    return config.model_copy(update={name: getattr(own, name) for name in _OF_MODEL})
