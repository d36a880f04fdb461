"""scikit-learn's vectorisers and ours, one in a process.

`python -m benchmarks.rivals.text_contenders NAME WEIGHTING TABLE`
"""

import json
import time
from pathlib import Path
from typing import Literal, get_args

import pyarrow.parquet as pq
import typer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from recsparse.config.data import TextConfig
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_table import fit_side_features
from recsparse.datasets.vocabulary import Vocabulary

MAX_WORDS = 20_000

Contender = Literal["scikit-learn", "recsparse"]
Weighting = Literal["counts", "tfidf"]
CONTENDERS: tuple[Contender, ...] = get_args(Contender)
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)


def measure(name: Contender, weighting: Weighting, path: Path) -> None:
    """Print the seconds of one contender, and how many cells it found.

    Args:
        name: Who.
        weighting: What words weigh.
        path: A table of items with texts.
    """
    found = _ours(path, weighting) if name == "recsparse" else _theirs(path, weighting)
    typer.echo(json.dumps(found))


def _ours(path: Path, weighting: Weighting) -> dict[str, float]:
    ids = pq.read_table(path, columns=["item_id"])["item_id"].combine_chunks()
    columns = SideColumns("item_id", ["text"])
    config = TextConfig(weighting=weighting, max_words=MAX_WORDS)
    train, unseen = Vocabulary(ids), Vocabulary(ids[:0])
    start = time.perf_counter()
    found, _ = fit_side_features(path, columns, train, unseen, config)
    taken = time.perf_counter() - start
    return {"seconds": taken, "cells": found.bags.nnz if found.bags is not None else 0}


def _theirs(path: Path, weighting: Weighting) -> dict[str, float]:
    texts = pq.read_table(path, columns=["text"])["text"].to_pylist()
    kind = TfidfVectorizer if weighting == "tfidf" else CountVectorizer
    vectoriser = kind(max_features=MAX_WORDS)
    start = time.perf_counter()
    found = vectoriser.fit_transform(texts)
    return {"seconds": time.perf_counter() - start, "cells": found.nnz}


if __name__ == "__main__":
    typer.run(measure)
