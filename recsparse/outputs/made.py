"""Whether the output of a job is there already, whole and untouched."""

from pathlib import Path

from recsparse.files.addresses import is_address
from recsparse.outputs.job import Job
from recsparse.outputs.places import local_place
from recsparse.outputs.proof import Kind
from recsparse.outputs.remote import outline


def is_made(out: str | Path, kind: Kind, job: Job) -> bool:
    """Say whether the output of a job is there already, whole and untouched.

    Args:
        out: A file or folder that may exist, or an address.
        kind: What the output is.
        job: What it is made from.

    Returns:
        True where this very job wrote all that is there.

    Raises:
        OutputError: If the address cannot be read.
    """
    if not is_address(out):
        return _is_of(local_place(out), kind, job)
    with outline(out) as there:
        return there.upload is None and _is_of(there.path, kind, job)


def _is_of(target: Path, kind: Kind, job: Job) -> bool:
    if not target.exists() or target.is_dir() != kind.is_folder:
        return False
    evidence = kind.evidence(target)
    return evidence is not None and evidence.foreign is None and evidence.job == job.digest
