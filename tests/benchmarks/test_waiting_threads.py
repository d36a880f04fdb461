import json
import subprocess

from benchmarks import waiting_threads
from benchmarks.waiting_threads import WAYS, busy_processes, main, measure, turn


def test_a_turn_trains_and_prints_its_seconds(capsys):
    turn("timeline", 30, 50)
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["cpu_seconds", "seconds"]
    assert min(found.values()) > 0


def test_each_process_has_the_threads_and_the_policy_of_its_way(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.setattr(
        waiting_threads,
        "_TURN",
        "import json, os; e = os.environ; print(json.dumps({'cpu_seconds': "
        "int(e['OMP_NUM_THREADS']), 'seconds': e.get('OMP_WAIT_POLICY')}))",
    )
    found = [waiting_threads._in_a_process(way, "timeline", 1, 1) for way in WAYS]
    assert [one.cpu_seconds for one in found] == [1, 2, 2, 2]
    assert [one.seconds for one in found] == [None, "passive", None, "active"]


def test_rows_have_medians_and_the_medians_of_the_ratios_of_each_round(monkeypatch):
    turns = iter([*zip([1, 2, 3, 4], [5, 6, 7, 8], strict=True)] * 2 + [(10, 10)] * 4)
    monkeypatch.setattr(
        waiting_threads, "_in_a_process", lambda *_: waiting_threads.Taken(*next(turns))
    )
    rows = measure("timeline", 3, 1, 1)
    assert [row["CPU seconds"] for row in rows] == [1, 2, 3, 4]
    assert [row["CPU ÷ 1 thread"] for row in rows] == [1, 2, 3, 4]
    assert [row["seconds"] for row in rows] == [5, 6, 7, 8]
    assert [row["seconds ÷ 1 thread"] for row in rows] == [1, 6 / 5, 7 / 5, 8 / 5]


def test_busy_processes_end_with_the_context(monkeypatch):
    started, start = [], subprocess.Popen

    def noted(*args, **named):
        started.append(start(*args, **named))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    with busy_processes(2):
        assert [process.poll() for process in started] == [None, None]
    assert all(process.poll() is not None for process in started)


def test_a_turn_runs_in_a_process_of_its_own():
    found = waiting_threads._in_a_process(WAYS[1], "sparse_grid", 30, 50)
    assert found.cpu_seconds > 0


def test_the_command_writes_one_row_a_model_and_way(tmp_path, monkeypatch):
    monkeypatch.setattr(
        waiting_threads, "_in_a_process", lambda *_: waiting_threads.Taken(1.0, 2.0)
    )
    main("timeline,sparse_grid", users=30, items=50, rounds=1, busy=0, out=tmp_path / "out.md")
    lines = (tmp_path / "out.md").read_text(encoding="utf-8").splitlines()
    for kind in ("timeline", "sparse_grid"):
        rows = [line for line in lines if line.startswith(f"| {kind} |")]
        assert [row.split(" | ")[1] for row in rows] == [way.name for way in WAYS]
