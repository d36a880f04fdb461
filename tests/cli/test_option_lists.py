from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from recsparse.cli.option_lists import JobOptions, RankedOptions, WorkOptions, takes_lists


@pytest.fixture
def called():
    """Run a command that takes two lists, and return what it got."""
    app, found = typer.Typer(), []

    @app.command()
    @takes_lists
    def command(
        name: str,
        again: Annotated[bool, typer.Option("--again")] = False,
        *,
        work: WorkOptions,
        job: JobOptions,
    ) -> None:
        """Do the work."""
        found.append((name, again, work, job))

    def called(*words):
        result = CliRunner().invoke(app, words)
        return found.pop() if found else result

    return called


def test_a_command_gets_its_own_options_and_its_lists(called):
    assert called("x") == ("x", False, WorkOptions(), JobOptions())
    words = ["x", "--again", "--threads", "2", "--quiet", "--set", "a=1", "--set", "b=2"]
    assert called(*words) == (
        "x", True, WorkOptions(threads=2), JobOptions(overrides=["a=1", "b=2"], quiet=True),
    )  # fmt: skip


def test_help_shows_the_options_of_all_lists_in_their_order(called):
    text = called("--help").output
    names = ["--again", "--memory", "--threads", "--spill", "--config", "--set", "--quiet"]
    places = [text.index(name) for name in names]
    assert places == sorted(places)
    assert "Do the work." in text


def test_an_unknown_option_is_refused(called):
    result = called("x", "--job", "y")
    assert result.exit_code == 2
    assert "No such option" in result.output


def test_other_options_count_more_than_those_of_the_list():
    job = JobOptions(overrides=["seed=3", "log.strict=false"])
    settings = job.settings("log.strict=true")
    assert (settings.seed, settings.log.strict) == (3, True)


def test_only_test_options_that_are_given_are_settings():
    assert RankedOptions().settings() == []
    assert RankedOptions(catalogue="known").settings() == ["evaluation.catalogue=known"]
