"""Datasets that stages read, fetched from where they lie."""

from pathlib import Path

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.reporting.progress import Reporter
from recsparse.stages.at_hand import at_hand


def load_data(dataset: str | Path, reporter: Reporter, check: bool = True) -> Dataset:
    """Return a dataset, fetched from where it lies.

    Args:
        dataset: A dataset folder, or its address on another filesystem.
        reporter: Shows the progress.
        check: Compare the size and the checksum of each file with the manifest, which reads all.

    Returns:
        The dataset.

    Raises:
        MissingFileError: If there is no such folder.
        InputError: If it is no dataset, of another version, or a file is damaged.
    """
    with reporter.task("loading the dataset"):
        return load_dataset(at_hand(dataset, reporter), check)
