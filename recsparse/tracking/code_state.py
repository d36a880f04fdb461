"""The state of the code in the working folder, by git."""

import subprocess
from pathlib import Path

# A working folder of millions of files is not worth waiting for.
_SECONDS = 5


def code_state(folder: str | Path = ".") -> dict[str, str]:
    """Return the commit that is checked out, and whether files differ from it.

    Args:
        folder: Within the repository.

    Returns:
        The tags `git_commit`, `git_dirty` (`true` or `false`; files that git does not track do not
        count), and MLflow's own `mlflow.source.git.commit`; none where the folder is in no
        repository with a commit, or git is not there.
    """
    words = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        told = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=True
        ).stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    heading = "# branch.oid "
    commit = next((line[len(heading) :] for line in told if line.startswith(heading)), "(initial)")
    if commit == "(initial)":
        return {}
    is_dirty = any(not line.startswith("#") for line in told)
    return {
        "git_commit": commit,
        "git_dirty": str(is_dirty).lower(),
        "mlflow.source.git.commit": commit,
    }
