"""The fourth stage: batch scores of candidates, and recommendations."""

from dataclasses import dataclass, field
from pathlib import Path

from recsparse.config import OnUnknown
from recsparse.data_config import LogConfig
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.log import InteractionLog
from recsparse.reporting import SILENT, Reporter
from recsparse.scoring.batch import BatchOptions, read_ids, recommend_users, score_candidates
from recsparse.scoring.model_folder import load_model, read_description
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.load import locate


def score(
    model: str | Path,
    candidates: str | Path,
    out: str | Path,
    dataset: str | Path | None = None,
    on_unknown: OnUnknown = "error",
    reporter: Reporter = SILENT,
) -> int:
    """Write candidate pairs with a `score` column; a killed job goes on where it stopped.

    Args:
        model: A model folder or an MLflow address.
        candidates: Parquet with `user_id`, `item_id` and any other columns, which are kept.
        out: A Parquet file or a folder of parts.
        dataset: Start from all that this dataset knows of the users, and not from the training
            rows alone.
        on_unknown: What to do with ids never seen.
        reporter: Shows the progress.

    Returns:
        The number of rows.
    """
    trained, name = _load(model, out, dataset)
    with reporter.task("scoring") as advance:
        options = BatchOptions(on_unknown=on_unknown, on_part=advance)
        return score_candidates(trained, candidates, out, options, name)


@dataclass(frozen=True)
class RecommendOptions:
    """Whom to recommend to, and from what.

    Attributes:
        k: Length of each list.
        users: Parquet with a column `user_id`; without it, the users of `history`, else all known.
        dataset: Start from, and leave out, all that this dataset knows of the users.
        history: A log whose rows replace what is known of its users, who may be new.
        on_unknown: What to do with users never seen.
        log: How to read the history.
    """

    k: int = 20
    users: str | Path | None = None
    dataset: str | Path | None = None
    history: str | Path | None = None
    on_unknown: OnUnknown = "error"
    log: LogConfig = field(default_factory=LogConfig)


def recommend(
    model: str | Path,
    out: str | Path,
    options: RecommendOptions | None = None,
    reporter: Reporter = SILENT,
) -> int:
    """Write the k best unseen items of each user; a killed job goes on where it stopped.

    Args:
        model: A model folder or an MLflow address.
        out: A Parquet file or a folder of parts.
        options: Whom to recommend to, and from what.
        reporter: Shows the progress.

    Returns:
        The number of users.
    """
    options = options or RecommendOptions()
    trained, name = _load(model, out, options.dataset)
    wanted = None
    if options.history is not None:
        rows = InteractionLog.read(options.history, options.log).table
        trained = trained.with_history(rows)
        wanted = rows["user_id"].unique()
    if options.users is not None:
        wanted = read_ids(options.users, "user_id")
    with reporter.task("recommending") as advance:
        batch = BatchOptions(on_unknown=options.on_unknown, on_part=advance)
        return recommend_users(trained, out, options.k, wanted, batch, name)


def _load(
    model: str | Path, out: str | Path, dataset: str | Path | None
) -> tuple[TrainedModel, str]:
    """Load a model, with its dataset's rows if wanted, and name it for resuming."""
    folder = locate(model, Path(out).parent)
    trained, name = load_model(folder), str(read_description(folder)["sha256"])
    if dataset is None:
        return trained, name
    return trained.with_history(load_dataset(dataset).all_rows()), name
