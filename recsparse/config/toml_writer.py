"""Writing TOML; the standard library only reads it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsparse.errors import InputError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def write_toml(path: str | Path, values: Mapping[str, Any]) -> None:
    """Write nested settings as TOML; keys whose value is None are left out.

    Args:
        path: The file.
        values: Strings, numbers, booleans, mappings, which become sections, and lists of these,
            where mappings become inline tables.
    """
    Path(path).write_text(to_toml(values), encoding="utf-8")


def to_toml(values: Mapping[str, Any]) -> str:
    """Return nested settings as TOML.

    Args:
        values: The same as for `write_toml`.

    Returns:
        The text; `tomllib.loads` gives the values back.

    Example:
        >>> print(to_toml({"seed": 3, "split": {"kind": "random"}}))
        seed = 3
        <BLANKLINE>
        [split]
        kind = "random"
        <BLANKLINE>
    """
    return "\n".join(_lines(values, ())).lstrip("\n") + "\n"


def _lines(values: Mapping[str, Any], section: tuple[str, ...]) -> list[str]:
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items() if value is not None]
    for key, value in values.items():
        if isinstance(value, Mapping):
            name = (*section, key)
            lines += ["", f"[{'.'.join(map(_key, name))}]", *_lines(value, name)]
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return float.__repr__(value)  # NumPy's floats are floats with a repr of their own
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(each)}" for key, each in value.items() if each is not None)
        return f"{{{', '.join(pairs)}}}"
    raise InputError(
        f"TOML holds strings, numbers, booleans, lists and tables, but got {type(value)}"
    )


def _quoted(text: str) -> str:
    # JSON's escapes are a subset of TOML's, but for a raw DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
