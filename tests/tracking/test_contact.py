import os
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.config import TrackingConfig
from recsparse.errors import InputError, StoreError
from recsparse.tracking import contact
from recsparse.tracking.contact import first_contact, one_process, patience, ping, store_in_use
from recsparse.tracking.open_run import start_run
from recsparse.tracking.store import local_uri
from tests.stores import answering_address, refusing_address, silent_address

WRONG = [
    "ftp://host/store", "htp:/host", "localhost:5000", "mlruns", "http://", "http//host",
    "http://nobody.invalid", "postgresql://nobody.invalid/store", "sqlite://host/store.db",
]  # fmt: skip


def refused(uri):
    started = time.monotonic()
    with store_in_use(uri), pytest.raises(StoreError, match=re.escape(f"store {uri} must answer")):
        first_contact(uri, ping)
    return time.monotonic() - started


@pytest.mark.parametrize("uri", WRONG)
def test_a_wrong_address_is_told_at_once(workplace, uri):
    assert refused(uri) < 10
    assert [path.name for path in workplace.iterdir()] == ["mlflow.db"]


def test_an_address_where_nobody_listens_is_told_at_once(workplace):
    assert refused(refusing_address()) < 10


def test_an_address_that_never_answers_is_told_in_time(workplace):
    with silent_address() as uri:
        assert refused(uri) < 10


@pytest.mark.parametrize("answer", [(404, b"nothing here"), (200, b"<html>"), (503, b"busy")])
def test_a_server_that_is_no_store_is_told_at_once(workplace, answer):
    with answering_address(*answer) as uri:
        assert refused(uri) < 10


def test_an_answer_that_comes_a_byte_at_a_time_is_not_waited_for(workplace, monkeypatch):
    monkeypatch.setattr(contact, "CONTACT_SECONDS", 1.0)
    with answering_address(200, b"{" + b" " * 100, seconds_a_byte=0.5) as uri:
        assert refused(uri) < 5


def test_the_users_own_patience_counts_but_for_the_first_contact(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with patience(20.0, retries=2):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    with patience(4.0, retries=0, always=True):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "4"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_password_is_not_shown(workplace):
    uri = refusing_address().replace("//", "//me:secret@")
    with store_in_use(uri), pytest.raises(StoreError, match=r"store http://\*\*\*@127") as error:
        first_contact(uri, ping)
    assert "secret" not in str(error.value)


def test_what_the_question_itself_refuses_goes_through(workplace):
    def refuse():
        raise InputError("mine")

    for uri in (local_uri(workplace), refusing_address()):
        with store_in_use(uri), pytest.raises(InputError, match="mine"):
            first_contact(uri, refuse)


def test_a_file_that_is_no_database_is_told_at_once(workplace):
    (workplace / "mlflow.db").write_bytes(b"no database" * 100)
    uri = local_uri(workplace)
    started = time.monotonic()
    with store_in_use(uri), pytest.raises(StoreError, match="file is not a database"):
        first_contact(uri, ping, writes=True)
    assert time.monotonic() - started < 10
    assert (workplace / "mlflow.db").read_bytes() == b"no database" * 100


@pytest.mark.parametrize(
    ("state", "message"),
    [("ro", "readonly database"), ("full", "database or disk is full")],
)
def test_a_file_that_cannot_be_written_is_told_before_the_work(
    workplace, monkeypatch, state, message
):
    connect = sqlite3.connect

    def limited(path, **options):
        if state == "ro":
            return connect(f"file:{path}?mode=ro", uri=True, **options)
        database = connect(path, **options)
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    uri = local_uri(workplace)
    with monkeypatch.context() as patch:
        patch.setattr(contact.sqlite3, "connect", limited)
        with store_in_use(uri), pytest.raises(StoreError, match=message):
            first_contact(uri, ping, writes=True)
        with store_in_use(uri):
            first_contact(uri, ping)


def test_the_experiment_that_nobody_asked_for_does_not_point_to_the_current_folder(
    workplace, tmp_path_factory
):
    elsewhere = tmp_path_factory.mktemp("it's: a new place")
    with start_run(TrackingConfig(), elsewhere, "run"):
        pass
    found = MlflowClient(local_uri(elsewhere)).get_experiment("0")
    assert found.artifact_location == f"{elsewhere.as_uri()}/mlartifacts/0"


def test_a_store_within_the_use_of_another_leaves_that_one_in_use(workplace):
    outer, inner = local_uri(workplace), local_uri(workplace / "inner")
    with store_in_use(outer):
        with store_in_use(inner):
            assert mlflow.get_tracking_uri() == inner
        assert mlflow.get_tracking_uri() == outer


def test_what_one_process_does_others_wait_for(tmp_path):
    inside = []

    def work(number):
        with one_process(tmp_path / "file"):
            inside.append(number)
            time.sleep(0.02)
            assert inside[-1] == number
        return number

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(8))) == [*range(8)]


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("f" * 12, r"a newer one, version f{12}; install the MLflow that wrote it"),
        (
            "451aebb31d03",
            r"an older one, version 451aebb31d03; take a backup, then run",
        ),
    ],
)
def test_a_store_of_another_mlflow_is_told_with_its_cure(workplace, version, told):
    with closing(sqlite3.connect(workplace / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
        database.commit()
    uri = local_uri(workplace)
    with store_in_use(uri), pytest.raises(StoreError, match=told):
        first_contact(uri, ping)
