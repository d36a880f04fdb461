from recsparse.datasets.public.terms import CITATION, LICENCE, Terms


def test_what_is_written_is_what_the_owners_ask(tmp_path):
    Terms("Be kind.", "Ada 1843").write(tmp_path)
    assert (tmp_path / LICENCE).read_text() == "Be kind.\n"
    assert (tmp_path / CITATION).read_text() == "Ada 1843\n"


def test_files_that_are_there_stay(tmp_path):
    (tmp_path / LICENCE).write_text("theirs")
    Terms("Be kind.", "Ada 1843").write(tmp_path)
    assert (tmp_path / LICENCE).read_text() == "theirs"
