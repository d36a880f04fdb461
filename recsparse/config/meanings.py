"""What a setting means: read off the docstrings of its section, which say it once."""

import re

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def meanings_of(section: type) -> dict[str, str]:
    """Return what each attribute of a class means, on one line.

    Args:
        section: A class whose docstring has a part `Attributes:`, or whose bases' docstrings have.

    Returns:
        The meanings by name; those of the class itself win over those of its bases.

    Example:
        >>> from recsparse.config.training import TrainingConfig
        >>> meanings_of(TrainingConfig)["batch_users"]
        'Users per step.'
    """
    found: dict[str, str] = {}
    for owner in reversed(section.__mro__):
        text = re.sub(r"\n {4}", "\n", owner.__doc__ or "").partition("Attributes:")[2]
        found |= {name: " ".join(meaning.split()) for name, meaning in _ATTRIBUTE.findall(text)}
    return found


def summary_of(section: type) -> str:
    """Return the first line of a class's docstring.

    Args:
        section: The class.

    Returns:
        The line; empty where there is none.
    """
    return (section.__doc__ or "").strip().partition("\n\n")[0]
