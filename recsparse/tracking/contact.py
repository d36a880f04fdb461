"""The first contact with an MLflow store: soon, one process at a time, or a clear error."""

import hashlib
import logging
import os
import re
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import mlflow
from filelock import FileLock
from mlflow.store import db_migrations
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient

from recsparse.errors import RecsparseError, StoreError
from recsparse.files.atomic import make_folder
from recsparse.quiet import kept_environment, nothing_said, only_warnings
from recsparse.tracking.root_cause import root_cause
from recsparse.tracking.store import ARTIFACTS, URI_VARIABLE, store_file, without_password

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# How long a store on a network may take for its first answer, all in all.
CONTACT_SECONDS = 8.0
# How long one that was gone may take.
_MOMENT_SECONDS = 2.0
# How long a job waits for others that use the same file, and for the first of them to fill it.
FILE_SECONDS = 120.0
RETRIES, TIMEOUT = "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"
_NO_LINKS_VARIABLE = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
_BARS_VARIABLE = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
# What MLflow warns of in each run, though nothing is wrong.
_HINTS = (
    "Hint: Inferred schema contains integer column",
    "The specified dataset source can be interpreted in multiple ways",
)
# The innermost store last.
_in_use: list[str] = []
# Each of these raises what it tells, or tells what is right.
_TELLTALES = (
    "mlflow.store.db.utils",
    "mlflow.tracking._model_registry.fluent",
    "mlflow.utils.databricks_utils",
    "urllib3.connectionpool",
)


@contextmanager
def store_in_use(uri: str) -> Iterator[None]:
    """Use one store, and keep back what MLflow says of its tables, its hints and its links.

    MLflow leaves the address in the environment, where the next job would take it for the user's.

    Args:
        uri: The store.

    Yields:
        Nothing.
    """
    with (
        warnings.catch_warnings(),
        only_warnings("mlflow", "alembic"),
        nothing_said(*_TELLTALES),
        kept_environment(URI_VARIABLE, _NO_LINKS_VARIABLE, _BARS_VARIABLE),
    ):
        for hint in _HINTS:
            warnings.filterwarnings("ignore", hint)
        os.environ[_NO_LINKS_VARIABLE] = "true"
        os.environ[_BARS_VARIABLE] = "false"
        _in_use.append(uri)
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            _in_use.pop()
            mlflow.set_tracking_uri(_in_use[-1] if _in_use else None)  # type: ignore[arg-type]


def first_contact(uri: str, ask: Callable[[], Answer], writes: bool = False) -> Answer:
    """Ask a store that is in use for the first time.

    MLflow itself tries for minutes without an answer, and two jobs that fill a new SQLite file
    at the same time fail.

    Args:
        uri: The store.
        ask: The first question.
        writes: Whether the job will write to the store.

    Returns:
        The answer.

    Raises:
        StoreError: If the store gives no answer within `CONTACT_SECONDS`, or another one than that
            of MLflow, or a file is damaged or cannot be written.
        RecsparseError: What the question raises itself.
    """
    file = store_file(uri)
    try:
        if file is None:
            return _soon(ask)
        with one_process(file):
            if writes:
                _check_writable(file)
            # Makes the tables; the experiment `Default`, which is not used, shall not point
            # to the current folder.
            SqlAlchemyStore(uri, (file.parent / ARTIFACTS).as_uri())
            return ask()
    except RecsparseError:
        raise
    except Exception as error:
        raise StoreError(
            _other_version(uri, str(error))
            or f"the MLflow store {without_password(uri)} must answer and be writable, but "
            f"{root_cause(error)}; start it, or set tracking.uri or MLFLOW_TRACKING_URI to another"
        ) from error


def _other_version(uri: str, told: str) -> str | None:
    """Return what to say of a store with the tables of another MLflow, which says that of it."""
    found = re.search(r"database schema \(found version (\w+), but expected", told)
    if found is None:
        return None
    known = Path(db_migrations.__file__).parent / "versions"
    is_older = any(known.glob(f"{found[1]}_*.py"))
    cure = (
        f"take a backup, then run: mlflow db upgrade {without_password(uri)}"
        if is_older
        else "install the MLflow that wrote it, or a newer one, or set tracking.uri or "
        "MLFLOW_TRACKING_URI to another store"
    )
    return (
        f"the MLflow store {without_password(uri)} must have the tables of MLflow "
        f"{mlflow.__version__}, which is installed, but has those of "
        f"{'an older' if is_older else 'a newer'} one, version {found[1]}; {cure}"
    )


def ping() -> None:
    """Ask the store in use for anything, which fails where it is not there."""
    MlflowClient().search_experiments(max_results=1)


def is_back() -> bool:
    """Say within moments whether the store in use answers again."""
    try:
        with patience(_MOMENT_SECONDS, retries=0, always=True):
            ping()
    except Exception as error:  # whatever a store of a plug-in raises
        logger.info("the store does not answer: %s", error)
        return False
    return True


@contextmanager
def one_process(path: Path) -> Iterator[None]:
    """Wait for other processes of this user that do the same with a file or folder.

    Args:
        path: The file or folder.

    Yields:
        Nothing.
    """
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    user = getattr(os, "getuid", lambda: "all")()
    with FileLock(
        Path(tempfile.gettempdir()) / f"recsparse-mlflow-{user}-{name}.lock", FILE_SECONDS
    ):
        yield


@contextmanager
def patience(seconds: float, retries: int, always: bool = False) -> Iterator[None]:
    """Bound how long MLflow waits for a server, unless the environment says so already.

    Args:
        seconds: For one answer.
        retries: How often to ask again.
        always: Whatever the environment says.

    Yields:
        Nothing.
    """
    with kept_environment(RETRIES, TIMEOUT):
        for name, value in ((RETRIES, retries), (TIMEOUT, max(1, int(seconds)))):
            if always or name not in os.environ:
                os.environ[name] = str(value)
        yield


def _soon(ask: Callable[[], Answer]) -> Answer:
    """Ask in a thread of its own, since a name server or a slow answer has no limit of MLflow's.

    Args:
        ask: The question.

    Returns:
        The answer.

    Raises:
        TimeoutError: If there is no answer in time.
    """
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(ask())
        except BaseException as error:
            errors.append(error)

    with patience(CONTACT_SECONDS, retries=0, always=True):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(CONTACT_SECONDS)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"there was no answer within {CONTACT_SECONDS:.0f} seconds")
    return answers[0]


def _check_writable(file: Path) -> None:
    make_folder(file.parent)
    with closing(sqlite3.connect(file, timeout=FILE_SECONDS, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        # A full disk shows here: the old pages are written aside.
        database.execute("CREATE TABLE written_by_recsparse (x)")
        database.execute("ROLLBACK")
