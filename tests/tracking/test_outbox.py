import json
from dataclasses import replace

import pytest

from recsparse.errors import InputError
from recsparse.tracking import outbox as outboxes
from recsparse.tracking.outbox import RECORDS, Outbox, Record, Refused, read_records, send_kept

URI = "http://me:secret@store"


def record(number, file=None):
    return Record("metrics", URI, "run", {"metrics": {"loss": float(number)}, "step": number}, file)


class Store:
    """Takes records, unless it is down or refuses them."""

    def __init__(self, refuses=()):
        self.is_down, self.refuses, self.asked, self.taken = False, refuses, 0, []

    def __call__(self, record):
        self.asked += 1
        if self.is_down:
            raise ConnectionError("gone")
        if record.values["step"] in self.refuses:
            raise Refused("not this one")
        content = None if record.file is None else (record.file.name, record.file.read_text())
        self.taken.append((record.values["step"], content))
        return f"sent {record.values['step']}"


def steps(store):
    return [step for step, _ in store.taken]


def test_what_is_taken_leaves_no_trace(tmp_path):
    store = Store()
    outbox = Outbox(tmp_path / "box", store)
    assert [outbox.post(record(number)) for number in range(2)] == ["sent 0", "sent 1"]
    outbox.close()
    assert steps(store) == [0, 1]
    assert not (tmp_path / "box").exists()


def test_what_a_store_that_is_gone_does_not_take_is_kept_without_asking_again(tmp_path, caplog):
    store = Store()
    outbox = Outbox(tmp_path / "a folder" / "unsent" / "run", store)
    outbox.post(record(0))
    store.is_down = True
    assert [outbox.post(record(number)) for number in (1, 2, 3)] == [None, None, None]
    assert store.asked == 2
    assert read_records(outbox.folder) == [record(1), record(2), record(3)]
    outbox.close()
    assert store.asked == 3
    (warned,) = caplog.records
    assert "3 records of this run could not be sent to http://***@store (gone)" in warned.message
    assert f"recsparse runs '{tmp_path / 'a folder'}' --sync" in warned.message


def test_a_store_that_comes_back_gets_all_at_the_end(tmp_path, caplog):
    store = Store()
    store.is_down = True
    outbox = Outbox(tmp_path / "box", store)
    for number in range(3):
        outbox.post(record(number))
    store.is_down = False
    outbox.close()
    assert steps(store) == [0, 1, 2]
    assert not outbox.folder.exists()
    assert not caplog.records


def test_a_record_that_is_refused_does_not_hold_up_the_others(tmp_path, caplog):
    store = Store(refuses=[1])
    outbox = Outbox(tmp_path / "box", store)
    for number in range(3):
        outbox.post(record(number))
    outbox.close()
    assert steps(store) == [0, 2]
    assert read_records(outbox.folder) == [record(1)]
    assert "not this one" in caplog.text


def test_files_are_kept_under_their_own_names(tmp_path):
    store = Store()
    store.is_down = True
    outbox = Outbox(tmp_path / "box", store)
    for number, text in enumerate(("first", "second")):
        (tmp_path / "curve.txt").write_text(text)
        outbox.post(record(number, tmp_path / "curve.txt"))
    (tmp_path / "curve.txt").unlink()
    store.is_down = False
    assert send_kept(outbox.folder, store) == 0
    assert store.taken == [(0, ("curve.txt", "first")), (1, ("curve.txt", "second"))]


def test_what_is_sent_before_the_store_goes_again_is_not_sent_twice(tmp_path):
    store = Store()
    store.is_down = True
    outbox = Outbox(tmp_path / "box", store)
    for number in range(3):
        outbox.post(record(number))

    def goes_again(each):
        if each.values["step"] == 1:
            raise ConnectionError("gone again")
        return store(each)

    store.is_down = False
    assert send_kept(outbox.folder, goes_again) == 2
    assert send_kept(outbox.folder, store) == 0
    assert steps(store) == [0, 1, 2]


def test_an_interrupt_keeps_what_it_interrupted(tmp_path):
    def interrupted(each):
        raise KeyboardInterrupt

    outbox = Outbox(tmp_path / "box", interrupted)
    with pytest.raises(KeyboardInterrupt):
        outbox.post(record(0))
    assert read_records(outbox.folder) == [record(0)]


def test_what_can_be_neither_sent_nor_kept_is_told_and_the_job_goes_on(tmp_path, caplog):
    (tmp_path / "box").write_text("a file in its place")
    store = Store()
    store.is_down = True
    outbox = Outbox(tmp_path / "box", store)
    assert outbox.post(record(0)) is None
    outbox.close()
    assert "could be neither sent nor kept" in caplog.text


def test_half_a_line_of_a_killed_job_is_passed_over(tmp_path):
    store = Store()
    store.is_down = True
    outbox = Outbox(tmp_path / "box", store)
    outbox.post(record(0))
    with (outbox.folder / RECORDS).open("a") as lines:
        lines.write('{"kind": "metr')
    assert read_records(outbox.folder) == [record(0)]


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd"])
def test_a_file_outside_of_the_folder_is_refused(tmp_path, file):
    values = {"kind": "file", "uri": URI, "run_id": "run", "values": {}, "file": file}
    (tmp_path / RECORDS).write_text(json.dumps(values) + "\n")
    with pytest.raises(InputError, match="is not in the folder"):
        read_records(tmp_path)


def test_a_damaged_record_is_told(tmp_path):
    (tmp_path / RECORDS).write_text("no record\n")
    with pytest.raises(InputError, match="must hold one record per line"):
        read_records(tmp_path)


def test_a_store_that_is_back_gets_what_was_kept_before_a_model(tmp_path):
    store, back = Store(), [False]
    outbox = Outbox(tmp_path / "box", store, is_back=lambda: back[0])
    store.is_down = True
    outbox.post(record(0))
    store.is_down = False
    outbox.post(record(1))  # within the minute it is not asked
    model = replace(record(2), kind="model")
    assert outbox.post(model) is None
    back[0] = True
    assert outbox.post(replace(record(3), kind="model")) == "sent 3"
    assert outbox.post(record(4)) == "sent 4"
    assert steps(store) == [0, 1, 2, 3, 4]
    assert not outbox.folder.exists()


def test_a_store_is_asked_once_a_minute_whether_it_is_back(tmp_path, monkeypatch):
    store, asked, now = Store(), [], [100.0]
    monkeypatch.setattr(outboxes.time, "monotonic", lambda: now[0])
    outbox = Outbox(tmp_path / "box", store, "gone", is_back=lambda: asked.append(now[0]) or True)
    for number, seconds in enumerate((100.0, 159.0, 160.0, 161.0)):
        now[0] = seconds
        outbox.post(record(number))
    assert asked == [160.0]
    assert steps(store) == [0, 1, 2, 3]
