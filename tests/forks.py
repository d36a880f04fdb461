"""Commands that are killed at a moment: forks of one process, which has imported all by then."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

KILLED = -9

_SERVER = """
import importlib, json, os, signal, sys, time
import recsparse.cli.commands, recsparse.stages.score, recsparse.stages.train
from recsparse.scoring.batch_job import BatchOptions

run = importlib.import_module(sys.argv[2]).run
rows_per_part = json.loads(sys.argv[1])
if rows_per_part:
    BatchOptions.__init__.__defaults__ = (rows_per_part, *BatchOptions.__init__.__defaults__[1:])

def reached(path, said):
    return os.path.exists(path) and said in open("said.txt").read()

print("ready", flush=True)
for line in sys.stdin:
    words, seconds, path, said = json.loads(line)
    started = time.perf_counter()
    open("said.txt", "w").close()
    child = os.fork()
    if child == 0:
        os.dup2(os.open("said.txt", os.O_WRONLY | os.O_APPEND), 1)
        os.dup2(1, 2)
        sys.argv = [sys.argv[2], *words]
        try:
            run()
        except SystemExit as ended:
            os._exit(ended.code or 0)
        os._exit(0)
    ended = 0
    while seconds is not None and not ended and not reached(path, said):
        time.sleep(0.002)
        ended, status = os.waitpid(child, os.WNOHANG)
    if seconds is not None and not ended:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    if not ended:
        status = os.waitpid(child, 0)[1]
    status = os.waitstatus_to_exitcode(status)
    print(json.dumps([status, time.perf_counter() - started]), flush=True)
"""


@contextmanager
def forks(folder, rows_per_part=0, program="recsparse.cli.main"):
    """Start the process in a folder; yields a function that runs one command.

    The function takes the words of the command and `kill_after` in seconds, which count from when
    `since`, a path, exists and `said`, a text, was said. It returns the exit status, `KILLED` for a
    command that was killed, and its seconds. What it said is in `said.txt`.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, json.dumps(rows_per_part), program],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:

        def run(*words, kill_after=None, since=".", said=""):
            asked = [[*map(str, words)], kill_after, str(since), said]
            process.stdin.write(json.dumps(asked) + "\n")
            status, seconds = json.loads(process.stdout.readline())
            assert status in (0, KILLED), (Path(folder) / "said.txt").read_text()
            return status, seconds

        assert process.stdout.readline() == "ready\n"
        yield run
