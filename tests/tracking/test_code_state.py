import subprocess

from recsparse.tracking.code_state import code_state


def git(folder, *words):
    name = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    return subprocess.run(
        ["git", *name, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_is_told_and_whether_files_differ_from_it(tmp_path):
    assert code_state(tmp_path) == {}
    git(tmp_path, "init")
    assert code_state(tmp_path) == {}
    (tmp_path / "file").write_text("first")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    (tmp_path / "within").mkdir()
    commit = git(tmp_path, "rev-parse", "HEAD")
    clean = {"git_commit": commit, "git_dirty": "false", "mlflow.source.git.commit": commit}
    assert code_state(tmp_path / "within") == clean
    (tmp_path / "new").write_text("not tracked")
    assert code_state(tmp_path) == clean
    (tmp_path / "file").write_text("second")
    assert code_state(tmp_path) == clean | {"git_dirty": "true"}


def test_without_git_nothing_is_told(tmp_path, monkeypatch):
    git(tmp_path, "init")
    monkeypatch.setenv("PATH", "")
    assert code_state(tmp_path) == {}
