"""The protocols of the accuracy benchmark: which data, how it is split, which metrics count."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring.public_data import public_path
from recsparse.config.config import Config
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.stages.prepare import prepare

_HELD_OUT = (
    "log.min_rating=4",
    "log.min_user_rows=5",
    "split.kind=held_out_users",
    "evaluation.select_by=ndcg@100",
)
_LAST_OUT = ("split.kind=leave_last_out",)


@dataclass(frozen=True)
class Protocol:
    """A task on which models are compared.

    Attributes:
        log: The log, below the folder in `RECSPARSE_DATA`.
        settings: What differs from the default configuration.
        metrics: What is reported, the one that counts first; validation chooses by it.
        validation: Rows that are all for validation, where the data says so.
        test: Rows that are all for the test, where the data says so.
        items: A table of items.
        is_fixed: Whether the split is given by the data, so that only the models' seeds differ.
        counts_unseen: Whether a test row of an item without training rows counts as a miss, where
            a user has one test row.
        refits: Whether a model is fitted again on the validation rows, too, before its test; so it
            is where published figures are of models fitted on all rows but the test.
    """

    log: str
    settings: tuple[str, ...]
    metrics: tuple[str, ...]
    validation: str | None = None
    test: str | None = None
    items: str | None = None
    is_fixed: bool = False
    counts_unseen: bool = False
    refits: bool = False

    def config(self, seed: int, model: Mapping[str, object] | None = None) -> Config:
        """Return the configuration.

        Args:
            seed: Of the split, unless it is fixed, and of the models.
            model: The section `model`; None for the default.

        Returns:
            The configuration of everything.
        """
        reported = f"evaluation.metrics={[*self.metrics]}"
        config = load_config(overrides=[*self.settings, reported, f"seed={seed}"])
        config = config.model_copy(update={"refit": self.refits})
        if model is None:
            return config
        values = config.model_dump(mode="json") | {"model": dict(model)}
        return Config.model_validate(values)

    def dataset(self, seed: int, folder: Path) -> Dataset:
        """Prepare the data, unless it has been.

        Args:
            seed: Of the split.
            folder: The dataset folder.

        Returns:
            The dataset.
        """
        if not folder.exists():
            sources = Sources(
                logs=public_path(self.log),
                validation=() if self.validation is None else public_path(self.validation),
                test=() if self.test is None else public_path(self.test),
                items=None if self.items is None else public_path(self.items),
            )
            prepare(sources, folder, config=self.config(seed))
        return load_dataset(folder)


PROTOCOLS: Mapping[str, Protocol] = {
    "ml1m-held-out-users": Protocol(
        "movielens-1m/interactions.parquet",
        (*_HELD_OUT, "log.timestamp_column=none"),
        ("ndcg@100", "recall@20", "recall@50"),
    ),
    "ml1m-random": Protocol(
        "movielens-1m/interactions.parquet",
        ("log.timestamp_column=none",),
        ("ndcg@10", "recall@10", "recall@20"),
    ),
    # The same splits; with the times, which are known of 90 % of these rows.
    "ml1m-held-out-users-timed": Protocol(
        "movielens-1m/interactions.parquet", _HELD_OUT, ("ndcg@100", "recall@20", "recall@50")
    ),
    # Known of 57 % of these.
    "ml1m-random-timed": Protocol(
        "movielens-1m/interactions.parquet",
        (),
        ("ndcg@10", "recall@10", "recall@20"),
    ),
    "ml100k-random-timed": Protocol(
        "movielens-100k/interactions.parquet",
        (),
        ("ndcg@10", "recall@10", "recall@20"),
    ),
    "ml100k-random": Protocol(
        "movielens-100k/interactions.parquet",
        ("log.timestamp_column=none",),
        ("ndcg@10", "recall@10", "recall@20"),
    ),
    "ml1m-last-out": Protocol(
        "movielens-1m/positives_timestamped.parquet",
        _LAST_OUT,
        ("ndcg@10", "hit_rate@10"),
        is_fixed=True,
        counts_unseen=True,
    ),
    "ml100k-last-out": Protocol(
        "movielens-100k/interactions.parquet",
        _LAST_OUT,
        ("ndcg@10", "hit_rate@10"),
        is_fixed=True,
        counts_unseen=True,
    ),
    "beauty-last-out": Protocol(
        "amazon-beauty/interactions.parquet",
        (
            *_LAST_OUT,
            "log.timestamp_column=position",
            "text.columns=['attributes']",
            "text.min_documents=1",
        ),
        ("ndcg@10", "hit_rate@10"),
        items="amazon-beauty/items.parquet",
        is_fixed=True,
        counts_unseen=True,
    ),
    "gowalla": Protocol(
        "gowalla/train.parquet",
        ("split.kind=given", "evaluation.select_by=ndcg@20"),
        ("recall@20", "ndcg@20"),
        test="gowalla/test.parquet",
        is_fixed=True,
        refits=True,
    ),
    "citeulike-t-random": Protocol(
        "citeulike-t/interactions.parquet",
        (
            "text.columns=['text']",
            "text.max_words=20000",
            "text.min_documents=1",
            "evaluation.select_by=ndcg@100",
        ),
        ("recall@100", "ndcg@10"),
        items="citeulike-t/items.parquet",
    ),
    "musical-instruments-global-time": Protocol(
        "amazon-musical-instruments-5core/interactions.parquet",
        (
            "split.kind=global_time",
            "text.log_columns=['review_text','summary']",
        ),
        ("ndcg@10", "recall@20"),
        is_fixed=True,
    ),
}
