"""How a batch job runs: its options, what it is made from, and the output that it claims."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recsparse.config.choices import OnUnknown
from recsparse.datasets.id_digest import digest_of_ids
from recsparse.digest import digest
from recsparse.errors import InputError
from recsparse.files.addresses import last_name
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from recsparse.outputs.job import Paths as Inputs
from recsparse.outputs.places import local_place
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.scoring.parted_output import ENDING, PartedOutput
from recsparse.scoring.stamp import ScoresKind
from recsparse.scoring.trained import TrainedModel


@dataclass(frozen=True)
class BatchOptions:
    """How a batch job runs.

    Attributes:
        rows_per_part: Rows of each part that is written, at most.
        on_unknown: What to do with ids never seen; see `TrainedModel.score`.
        reporter: Shows the rows or users done, after each part.
        overwrite: Replace an output, or unfinished parts, of another job.
        inputs: Files and folders that the job reads, besides the candidates; the output must lie
            apart from them.
        explain: Say of each recommended item which of the history brought it its score.
    """

    rows_per_part: int = 500_000
    on_unknown: OnUnknown = "error"
    reporter: Reporter = SILENT
    overwrite: bool = False
    inputs: tuple[str | Path, ...] = ()
    explain: bool = False


@contextmanager
def parted_output(out: str | Path, job: Job, options: BatchOptions) -> Iterator[PartedOutput]:
    """Claim an output; keep the parts of a job that was killed, but not of one that cannot end.

    Args:
        out: Where to write.
        job: What it is made from.
        options: How the job runs.

    Yields:
        The output.

    Raises:
        InputError: The one from within.
    """
    kind = ScoresKind.named(Path(last_name(out)), local_place(out))
    with claim(out, kind, job, options.overwrite, (ENDING,), options.reporter) as claimed:
        output = PartedOutput(claimed)
        try:
            yield output
        except InputError:
            output.discard()
            raise


def digest_of_known(trained: TrainedModel) -> str:
    """Return what tells a model, and all from which it scores, from others.

    Args:
        trained: The model.

    Returns:
        A digest.
    """
    ids = digest_of_ids(trained.users.ids), digest_of_ids(trained.items.ids)
    users = trained.user_features
    groups = () if users is None else users.groups
    features = [part for group in groups for part in (group.name, group.values)]
    return digest(*ids, trained.rows.digest(), trained.model.digest(), *features)


def job_of(command: str, inputs: Sequence[Inputs], *settings: Any) -> Job:
    """Return a job, which is another one under another version, that may score otherwise.

    Args:
        command: What writes the output.
        inputs: Files and folders that it reads.
        *settings: All else that its output follows from.

    Returns:
        The job.
    """
    digest_of_all = digest(command, version("recsparse"), repr(settings))
    return Job.reading(command, digest_of_all, inputs)
