"""Keeping other libraries' messages and settings within bounds while they work."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def only_warnings(*names: str) -> Iterator[None]:
    """Keep back what some loggers have to say below a warning.

    Args:
        *names: The loggers, each with all below it that have no level of their own.

    Yields:
        Nothing; the loggers have their levels back afterwards.
    """
    with _at_least(logging.WARNING, names):
        yield


@contextmanager
def nothing_said(*names: str) -> Iterator[None]:
    """Keep back all that some loggers have to say: what they tell is raised as well.

    Args:
        *names: The loggers.

    Yields:
        Nothing; the loggers have their levels back afterwards.
    """
    with _at_least(logging.CRITICAL + 1, names):
        yield


@contextmanager
def kept_environment(*names: str) -> Iterator[None]:
    """Put some environment variables back to what they were.

    Args:
        *names: The variables.

    Yields:
        Nothing; what is changed within is undone afterwards.
    """
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _at_least(lowest: int, names: tuple[str, ...]) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(logger.level, lowest))
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
