import os

import pytest

from pipelines.steps import Steps, file_state


@pytest.fixture
def said():
    return []


@pytest.fixture
def steps(tmp_path, said):
    return Steps(tmp_path, said.append)


def maker(path, content="made"):
    return lambda: path.write_text(content)


def never():
    raise AssertionError("this step was to be left out")


def test_a_step_runs_once_for_what_it_depends_on(steps, said, tmp_path):
    output = tmp_path / "output"
    steps.run(output, ("input", 1), maker(output))
    steps.run(output, ("input", 1), never)
    assert said == ["making output", "output is up to date"]
    assert output.read_text() == "made"


def test_a_step_runs_anew_when_what_it_depends_on_has_changed(steps, tmp_path):
    output = tmp_path / "output"
    steps.run(output, 1, maker(output))
    steps.run(output, 2, maker(output, "made anew"))
    assert output.read_text() == "made anew"
    steps.run(output, 2, never)


def test_a_step_runs_anew_when_its_output_is_gone(steps, tmp_path):
    output = tmp_path / "output"
    steps.run(output, 1, maker(output))
    output.unlink()
    steps.run(output, 1, maker(output, "made anew"))
    assert output.read_text() == "made anew"


def test_an_output_that_no_step_has_made_is_made_anew(steps, tmp_path):
    output = tmp_path / "output"
    output.write_text("from elsewhere")
    steps.run(output, 1, maker(output))
    assert output.read_text() == "made"


def test_a_step_that_fails_runs_again(steps, tmp_path):
    output = tmp_path / "output"

    def half():
        output.write_text("half")
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        steps.run(output, 1, half)
    steps.run(output, 1, maker(output))
    assert output.read_text() == "made"


def test_what_was_made_is_remembered_by_the_next_job(steps, said, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        steps.run(tmp_path / name / "output", name, maker(tmp_path / name / "output"))
    later = Steps(tmp_path, said.append)
    for name in ("a", "b"):
        later.run(tmp_path / name / "output", name, never)
    assert said[-2:] == ["a/output is up to date", "b/output is up to date"]


def test_a_fingerprint_tells_what_an_output_was_made_from(steps, tmp_path):
    output = tmp_path / "output"
    found = []
    for depends_on in (1, 2, 1):
        steps.run(output, depends_on, maker(output))
        found.append(steps.fingerprint(output))
    assert found[0] == found[2] != found[1]


def test_the_state_of_files_and_folders_changes_with_any_of_them(tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    files = [tmp_path / "file", tmp_path / "folder" / "b", tmp_path / "folder" / "deep" / "a"]
    for number, file in enumerate(files):
        file.write_text("x" * number)
        os.utime(file, ns=(0, 1000 + number))
    paths = [tmp_path / "file", tmp_path / "folder"]
    before = file_state(paths)
    assert before == [(str(file), number, 1000 + number) for number, file in enumerate(files)]
    os.utime(files[2], ns=(0, 7))
    assert file_state(paths) != before


def test_a_step_that_was_killed_is_known_to_have_begun_from_the_same(steps, tmp_path):
    output = tmp_path / "output"
    assert not steps.was_begun(output, 1)

    def killed():
        assert steps.was_begun(output, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        steps.run(output, 1, killed)
    later = Steps(tmp_path, steps.say)
    assert later.was_begun(output, 1)
    assert not later.was_begun(output, 2)
    assert not later.was_begun(tmp_path / "other", 1)
