"""The command line looks for no garbage while it loads libraries, and for others' all the time."""

import gc
import subprocess
import sys

from recsparse.cli.loading import loading_libraries
from recsparse.reporting.progress import SILENT

CODE = """
import gc, sys
from recsparse.cli.main import run
enabled = {}

class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        enabled[name] = gc.isenabled()

sys.meta_path.insert(0, Watch)
sys.argv = ["recsparse", "doctor", "--json"]
try:
    run()
finally:
    names = ("recsparse.cli.commands", "recsparse.stages.doctor")
    print([enabled[name] for name in names], gc.isenabled(), gc.get_freeze_count() > 100_000)
"""


def test_a_process_looks_for_garbage_once_libraries_are_loaded_and_not_among_them():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[False, False] True True"


def test_who_calls_a_command_as_a_function_looks_for_garbage_as_before():
    frozen = gc.get_freeze_count()
    with loading_libraries(SILENT):
        assert gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen
