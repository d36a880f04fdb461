import sqlite3

import pytest

from recsparse.tracking.root_cause import root_cause


def raised(error, cause):
    try:
        try:
            raise cause
        except type(cause):
            raise error  # noqa: B904 — libraries do so, too
    except type(error) as found:
        return found


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("on\n two  lines"), "on two lines"),
        (ValueError(), "ValueError"),
        (
            raised(ValueError("HTTPPool(host='a')"), ConnectionRefusedError(111, "refused")),
            "the system says: refused",
        ),
        (raised(ValueError("x"), TimeoutError("timed out")), "there was no answer in time"),
        (
            sqlite3.OperationalError("disk is full\n[SQL: INSERT INTO a]\n(Background at b)"),
            "disk is full",
        ),
        (ValueError("no http://me:secret@host/store"), "no http://***@host/store"),
        (ValueError("a" * 400), "a" * 300 + "…"),
    ],
)
def test_an_error_comes_down_to_its_reason(error, expected):
    assert root_cause(error) == expected


def test_errors_that_are_each_others_context_come_to_an_end():
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert root_cause(one) == "one"
