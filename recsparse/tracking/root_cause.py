"""Why a store did not answer, in a few words."""

from collections.abc import Iterator

from recsparse.errors import reason
from recsparse.tracking.store import without_password

_LONGEST = 300


def root_cause(error: Exception) -> str:
    """Return what an error of MLflow, or of what it stands on, comes down to.

    Args:
        error: The error, as deep in others as it may be.

    Returns:
        One line without a password; what the system says, where it is the system that failed.
    """
    chain = [*_chain(error)]
    for each in reversed(chain):
        if isinstance(each, TimeoutError) or "Timeout" in type(each).__name__:
            return "there was no answer in time"
        if isinstance(each, OSError) and each.strerror:
            return f"the system says: {each.strerror}"
    # What SQLAlchemy adds is its statement and a link.
    text = without_password(reason(error).partition("[SQL:")[0].rstrip())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
