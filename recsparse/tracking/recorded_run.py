"""RecordedRun: what a store has of a run, and which run one means."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import mlflow
from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient

from recsparse.errors import InputError, MissingFileError
from recsparse.tracking.contact import first_contact, ping, store_in_use
from recsparse.tracking.store import require_store, without_password

# A hexadecimal id has so many digits.
_ID_LENGTH = 32
_MOST_SHOWN, _MOST_NAMES = 5, 1000


@dataclass(frozen=True)
class RecordedRun:
    """What a store has of a run.

    Attributes:
        run_id: MLflow's own id of it.
        name: Its name.
        params: Its parameters.
        metrics: The last value of each of its figures.
        tags: Its tags.
        data: Name and digest of its datasets, by what they served for, such as `training`.
    """

    run_id: str
    name: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    data: dict[str, tuple[str, str]]


def recorded_runs(uri: str, named: Sequence[str]) -> list[RecordedRun]:
    """Return runs of a store.

    Args:
        uri: The store.
        named: Of each run its id, its name, or the beginning of one of them, as long as that is of
            no other run.

    Returns:
        The runs, in the order of their names.

    Raises:
        MissingFileError: If there is no such store, or no such run in it.
        InputError: If a name or beginning is of several runs.
        StoreError: If the store cannot be reached.
    """
    require_store(uri)
    with store_in_use(uri):
        first_contact(uri, ping)
        experiments = [each.experiment_id for each in mlflow.search_experiments()]
        # Runs that are searched come without their inputs.
        return [
            _recorded(MlflowClient().get_run(_named(each, experiments, uri).info.run_id))
            for each in named
        ]


def _named(named: str, experiments: list[str], uri: str) -> Run:
    is_id = len(named) <= _ID_LENGTH and set(named) <= set("0123456789abcdef")
    quote = '"' if "'" in named else "'"
    queries = [
        f"attributes.run_name = {quote}{named}{quote}",
        f"attributes.run_name LIKE {quote}{named}%{quote}",
    ]
    if is_id:
        queries.insert(0, f"attributes.run_id LIKE '{named}%'")
    for query in queries if named else []:
        found = _search(query, experiments, _MOST_SHOWN + 1)
        # An underscore stands for any sign in a pattern of SQL.
        found = [
            each
            for each in found
            if each.info.run_id.startswith(named) or (each.info.run_name or "").startswith(named)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"{named!r} must name one run of {without_password(uri)}, but names "
                f"{_listed(found)}; name one by its id"
            )
    raise MissingFileError(
        f"{named!r} must be the id or the name of a run of {without_password(uri)}, or the "
        f"beginning of one, but there is none{_near(named, experiments)}; list them with "
        "recsparse runs"
    )


def _search(query: str, experiments: list[str], most: int) -> list[Run]:
    return list(
        MlflowClient().search_runs(experiments, query, ViewType.ACTIVE_ONLY, max_results=most)
    )


def _listed(runs: Sequence[Run]) -> str:
    shown = [f"{each.info.run_id[:8]} ({each.info.run_name})" for each in runs[:_MOST_SHOWN]]
    return ", ".join(shown) + (" and more" if len(runs) > _MOST_SHOWN else "")


def _near(named: str, experiments: list[str]) -> str:
    names = {each.info.run_name or "" for each in _search("", experiments, _MOST_NAMES)}
    # What was meant may be the beginning of a name.
    beginnings = {name[: len(named)]: name for name in names} | {name: name for name in names}
    close = get_close_matches(named, beginnings, n=1)
    return f"; the nearest is {beginnings[close[0]]!r}" if close else ""


def _recorded(run: Run) -> RecordedRun:
    given = [] if run.inputs is None else run.inputs.dataset_inputs
    data = {
        next((tag.value for tag in each.tags if tag.key == "mlflow.data.context"), ""): (
            each.dataset.name,
            each.dataset.digest,
        )
        for each in given
    }
    info, of_run = run.info, run.data
    return RecordedRun(
        info.run_id, info.run_name or "", of_run.params, of_run.metrics, of_run.tags, data
    )
