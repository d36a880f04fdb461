from recsparse.reporting import SILENT


def test_nobody_hears_of_a_silent_task(capfd):
    with SILENT.task("work", 3) as advance:
        advance(1)
    assert not SILENT.shows_progress
    assert capfd.readouterr() == ("", "")
