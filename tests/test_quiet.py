import logging
import os

import pytest

from recsparse.quiet import kept_environment, nothing_said, only_warnings


def test_only_warnings_pass_and_levels_come_back(caplog):
    logger = logging.getLogger("test.quiet")
    logger.setLevel(logging.INFO)
    with only_warnings("test.quiet"):
        logger.info("chat")
        logging.getLogger("test.quiet.below").info("chat")
        logger.warning("trouble")
    assert [record.message for record in caplog.records] == ["trouble"]
    assert logger.level == logging.INFO


def test_a_logger_that_says_less_still_says_less():
    logger = logging.getLogger("test.quieter")
    logger.setLevel(logging.ERROR)
    with only_warnings("test.quieter"):
        assert logger.level == logging.ERROR


def test_levels_and_variables_come_back_after_an_error(monkeypatch):
    monkeypatch.setenv("KEPT", "before")
    logger = logging.getLogger("test.error")

    def fail():
        with only_warnings("test.error"), kept_environment("KEPT"):
            os.environ["KEPT"] = "changed"
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        fail()
    assert logger.level == logging.NOTSET
    assert os.environ["KEPT"] == "before"


def test_variables_are_changed_back_set_again_and_removed(monkeypatch):
    monkeypatch.setenv("CHANGED", "before")
    monkeypatch.setenv("REMOVED", "before")
    monkeypatch.delenv("ADDED", raising=False)
    with kept_environment("CHANGED", "REMOVED", "ADDED"):
        os.environ["CHANGED"] = os.environ["ADDED"] = "within"
        del os.environ["REMOVED"]
    assert (os.environ["CHANGED"], os.environ["REMOVED"]) == ("before", "before")
    assert "ADDED" not in os.environ


def test_nothing_of_what_is_raised_anyway_is_said(caplog):
    logger = logging.getLogger("test.telltale")
    with nothing_said("test.telltale"):
        logger.error("within")
    logger.error("afterwards")
    assert [record.message for record in caplog.records] == ["afterwards"]
