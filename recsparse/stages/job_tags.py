"""What tells one environment from another, as tags of runs."""

import platform
import socket
from importlib.metadata import version

from recsparse.stages.installed import installed_version
from recsparse.tracking.code_state import code_state

_LIBRARIES = ("torch", "numpy", "mlflow")


def job_tags() -> dict[str, str]:
    """Return where a job runs, with which versions, and the state of the code around it.

    Returns:
        The tags `host`, `recsparse_version`, `python_version` and those of a few libraries; those
        of the commit where the working folder is in a git repository.
    """
    return {
        "host": socket.gethostname(),
        "recsparse_version": version("recsparse"),
        "python_version": platform.python_version(),
        **{f"{library}_version": installed_version(library) for library in _LIBRARIES},
        **code_state(),
    }
