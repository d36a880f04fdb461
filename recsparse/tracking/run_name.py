"""Names of runs, which tell the jobs of two nights apart."""

from datetime import UTC, datetime


def run_name(job: str) -> str:
    """Return the name of a run that starts now.

    Args:
        job: What runs, such as the kind of a model.

    Returns:
        The job, the day and the second in UTC, as in `ease-20261201-065018`.
    """
    return f"{job}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
