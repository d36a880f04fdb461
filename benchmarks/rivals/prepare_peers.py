"""Loading a log by another library, in a process of its own: RecBole, RecTools.

`python -m benchmarks.rivals.prepare_peers NAME SPLIT PATH…` runs in `.venv-data-peers`.
"""

import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

# RecBole's own form of a log: NAME/NAME.inter, with the types in the header.
ATOMIC_NAME = "log"


def load_with_recbole(paths: list[str], split: bool) -> int:
    """Read an atomic file as RecBole's manual says, and split it with its defaults.

    Args:
        paths: The folder that holds `log/log.inter`.
        split: Split and make the loaders of training, validation and test as well.

    Returns:
        Number of rows.
    """
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation

    columns = ["user_id", "item_id", "rating", "timestamp"]
    sys.argv = sys.argv[:1]  # RecBole reads the command line
    config = Config(
        model="BPR",
        dataset=ATOMIC_NAME,
        config_dict={"data_path": paths[0], "load_col": {"inter": columns}, "use_gpu": False},
    )
    dataset = create_dataset(config)
    if split:
        data_preparation(config, dataset)
    return len(dataset)


def load_with_rectools(paths: list[str], split: bool) -> int:
    """Read Parquet into a frame and construct RecTools' dataset of it.

    Args:
        paths: Parquet files.
        split: Split by time as well.

    Returns:
        Number of rows.
    """
    import pandas as pd
    from rectools.dataset import Dataset
    from rectools.model_selection import TimeRangeSplitter

    frame = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    frame = frame.rename(columns={"rating": "weight", "timestamp": "datetime"})
    frame["datetime"] = pd.to_datetime(frame["datetime"], unit="s")
    dataset = Dataset.construct(frame)
    if split:
        next(iter(TimeRangeSplitter("73D").split(dataset.interactions)))
    return len(dataset.interactions.df)


PEERS: dict[str, Callable[[list[str], bool], int]] = {
    "recbole": load_with_recbole,
    "rectools": load_with_rectools,
}


def main() -> None:
    """Load by one library and print its version and the number of rows."""
    name, split, *paths = sys.argv[1:]
    # Of these versions, about those of pandas.
    warnings.simplefilter("ignore", FutureWarning)
    rows = PEERS[name](paths, split == "split")
    print(f"{name} {version(name)}, {rows} rows")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
