"""The errors that a caller can mend; each is also a built-in kind, so generic handlers work.

The command line turns every `RecsparseError` into one clear message and exit status 2; any other
exception is a failed job, exit status 1.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class RecsparseError(Exception):
    """An error whose message says what must hold, what was found, and how to mend it."""


class InputError(RecsparseError, ValueError):
    """A value, a file's content or an argument breaks a stated rule."""


class InputTypeError(InputError, TypeError):
    """An argument or a tensor is of a type that cannot be used."""


class ConfigError(InputError):
    """A configuration file or `--set` has an unknown key or a value out of range."""


class SchemaError(InputError):
    """A Parquet file lacks a column or holds a column of a wrong type."""


class UnknownIdError(InputError, KeyError):
    """A user or an item id that the model has never seen."""

    def __str__(self) -> str:
        """Return the message as written (`KeyError` would quote it)."""
        return str(self.args[0])


class MissingFileError(RecsparseError, FileNotFoundError):
    """A file, a folder or a download that is not there."""


class ModelFolderError(InputError):
    """A model folder of another format version, or one with a damaged file."""


class CheckpointError(InputError):
    """A checkpoint that is damaged, or of another training than the one to resume."""


class OutputError(RecsparseError, OSError):
    """An output cannot be written; what was there before is untouched."""


class StoreError(RecsparseError, ConnectionError):
    """An MLflow store that cannot be reached, read or written."""


class MissingPackageError(RecsparseError, ImportError):
    """An optional package is needed for this and is not installed."""


def reason(error: Exception) -> str:
    """Return what an error says, in words that need no Python.

    Args:
        error: Any error.

    Returns:
        Its message; of a missing key, that it is missing.

    Example:
        >>> reason(KeyError("counts")), reason(ValueError("no number"))
        ("it has no 'counts'", 'no number')
    """
    text = " ".join(str(error).split())
    if type(error) is KeyError:
        return f"it has no {text}"
    return text or type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the known name closest to `name`, or lists all when none is close.

    Args:
        name: The name that was given.
        known: The names that would have been right.

    Returns:
        A clause such as `the nearest known is 'user_id'`.

    Example:
        >>> nearest("user", ["user_id", "rating"])
        "the nearest known is 'user_id'"
    """
    choices = list(known)
    close = get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f"the nearest known is {close[0]!r}"
    return "known are " + (", ".join(repr(choice) for choice in choices) or "none")
