from recsparse.reporting.progress import SILENT


def test_nobody_hears_of_a_silent_task(capfd):
    with SILENT.task("work", 3) as advance:
        advance(1)
        advance(2, "a note")
    assert capfd.readouterr() == ("", "")
