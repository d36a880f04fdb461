from collections import namedtuple

import pytest

Outcome = namedtuple("Outcome", ["status", "out", "err"])


@pytest.fixture
def recsparse(workplace, capfd):
    """Run a command line in an empty folder; what was printed comes with the exit status."""
    from recsparse.cli.exit import exit_on_error
    from recsparse.cli.main import app

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            exit_on_error(lambda: app([str(word) for word in words], prog_name="recsparse"))
        return Outcome(ended.value.code or 0, *capfd.readouterr())

    return run


def sets(settings):
    return [word for setting in settings for word in ("--set", setting)]
