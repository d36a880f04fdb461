"""Resuming a training: its checkpoints, and the MLflow run that it is recorded in."""

import logging
import shutil
import tomllib
from pathlib import Path

from recsparse.config.toml_writer import write_toml
from recsparse.errors import CheckpointError, OutputError
from recsparse.files.atomic import atomic_file

logger = logging.getLogger(__name__)

_RUN = "run.toml"
# The last ones are those of older builds, which are pickles and no longer read.
_CHECKPOINTS = ("*.safetensors", "*.ckpt", "*.pt")


def start_checkpoints(folder: Path, resume: bool, fresh: bool) -> None:
    """Keep the checkpoints of an interrupted training, or remove them, as one was asked to.

    Args:
        folder: The folder of the checkpoints, which may be missing.
        resume: Resume from them.
        fresh: Remove them.

    Raises:
        CheckpointError: If there are checkpoints and neither is set, both are, or they are
            of an older build.
        OutputError: If they cannot be removed.
    """
    if resume and fresh:
        raise CheckpointError("a training is resumed or started anew; pass --resume or --fresh")
    kept = [path for pattern in _CHECKPOINTS for path in folder.rglob(pattern)]
    old = [path for path in kept if path.suffix != ".safetensors"]
    if old and resume:
        raise CheckpointError(
            f"the checkpoint {old[0]} must be safetensors, but is a pickle of an older build, "
            "which is not opened; start anew with --fresh, which removes it"
        )
    if kept and not (resume or fresh):
        raise CheckpointError(
            f"{folder} holds the checkpoint of an interrupted training; pass --resume to resume "
            "from it, or --fresh to remove it and start anew"
        )
    if not resume and folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"{folder} must be removed to start anew, but {error}") from error


def keep_run(folder: Path, run_id: str, uri: str, settings: str) -> None:
    """Remember in which run a training is recorded.

    Args:
        folder: The folder of its checkpoints.
        run_id: The run.
        uri: Its store.
        settings: A digest of what the run has as parameters.
    """
    with atomic_file(folder / _RUN) as aside:
        write_toml(aside, {"run_id": run_id, "uri": uri, "settings": settings})


def kept_run(folder: Path, uri: str, settings: str) -> str | None:
    """Return the run that an interrupted training was recorded in.

    Args:
        folder: The folder of its checkpoints.
        uri: The store that is used now.
        settings: A digest of what the run is to have as parameters.

    Returns:
        The run; None where there is none, or it is in another store or of other settings.
    """
    try:
        found = tomllib.loads((folder / _RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    run_id = found.get("run_id")
    if found.get("uri") != uri or found.get("settings") != settings or not isinstance(run_id, str):
        logger.warning(
            "the interrupted training was recorded in another store or with other settings; what "
            "follows is recorded in a new run"
        )
        return None
    return run_id
