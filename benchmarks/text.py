"""How fast and how lean texts become bags of words, next to scikit-learn's own vectorisers.

`python -m benchmarks.text [--texts 1000000] [--words 50] [--rounds 3] [--out FILE]`

Each contender runs in a fresh process, and the processes take turns. scikit-learn gets a list of
all texts that is in memory before its clock starts; ours reads the same texts from a Parquet file,
chunk by chunk, drops HTML and looks every id up, all of which is timed. Both keep the 20,000 most
frequent words. Seconds and ratios are medians, the ratio that of one round; peaks are the highest.

Numbers depend on whatever else the machine does: compare within one run only.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from benchmarks.measuring.measured_process import Run, machine, run_measured
from benchmarks.measuring.tables import markdown
from benchmarks.rivals.text_contenders import CONTENDERS, WEIGHTINGS, Contender, Weighting

Runs = dict[tuple[Weighting, Contender], list[Run]]

_DISTINCT_WORDS = 300_000
_CHUNK_TEXTS = 50_000
_SYLLABLES = [f"{consonant}{vowel}" for consonant in "bdfghklmnprstvwz" for vowel in "aeiou"]


def run(
    texts: Annotated[int, typer.Option(help="Number of texts.", min=2)] = 1_000_000,
    words: Annotated[int, typer.Option(help="Words of a text.", min=1)] = 50,
    rounds: Annotated[int, typer.Option(help="Turns of each contender.", min=1)] = 3,
    out: Annotated[Path | None, typer.Option(help="File of the table, as markdown.")] = None,
) -> None:
    """Measure all contenders and show the table."""
    parts = [machine()]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "items.parquet"
        write_texts(path, texts, words)
        runs: Runs = {(weighting, name): [] for weighting in WEIGHTINGS for name in CONTENDERS}
        for number in range(rounds):
            for weighting, name in runs:
                typer.echo(f"round {number + 1}: {name}, {weighting}", err=True)
                module = "benchmarks.rivals.text_contenders"
                command = [sys.executable, "-m", module, name, weighting]
                runs[weighting, name].append(run_measured([*command, str(path)]))
    parts.append(markdown(f"{texts:,} texts of {words} words", comparison(runs)))
    text = "\n".join(parts)
    typer.echo(text)
    if out:
        out.write_text(text, encoding="utf-8")


def comparison(runs: Runs) -> pd.DataFrame:
    """Return one row per contender.

    Args:
        runs: Runs by weighting and contender; what they printed are seconds.

    Returns:
        Seconds, how many times scikit-learn's, and the peak of memory.
    """
    rows = []
    for (weighting, name), found in runs.items():
        seconds = [_seconds(run) for run in found]
        theirs = [_seconds(run) for run in runs[weighting, "scikit-learn"]]
        ratios = [one / other for one, other in zip(seconds, theirs, strict=True)]
        rows.append(
            {
                "weighting": weighting,
                "": name,
                "seconds": f"{median(seconds):.1f}",
                "ratio": f"{median(ratios):.2f}",
                "peak MB": f"{max(run.peak_mb for run in found):,.0f}",
            }
        )
    return pd.DataFrame(rows)


def _seconds(run: Run) -> float:
    if run.failed:
        raise RuntimeError(f"every contender must end well, but one said: {run.output}")
    return float(json.loads(run.output)["seconds"])


def write_texts(path: Path, texts: int, words: int, seed: int = 0) -> None:
    """Write a table of items with texts of Zipf words, a chunk in memory at a time.

    The n-th most frequent of 300,000 words occurs in proportion to 1 / n.

    Args:
        path: The Parquet file: `item_id`, strings in no order, and `text`.
        texts: Number of texts.
        words: Words of each.
        seed: Of the random numbers.
    """
    schema = pa.schema([("item_id", pa.string()), ("text", pa.string())])
    rng = np.random.default_rng(seed)
    vocabulary = np.array(_words(_DISTINCT_WORDS), dtype=object)
    item = rng.permutation(texts)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, texts, _CHUNK_TEXTS):
            some = item[start : start + _CHUNK_TEXTS]
            written = list(_texts(rng, vocabulary, (len(some), words)))
            ids = [f"item-{number:09}" for number in some.tolist()]
            writer.write_table(pa.table([ids, written], schema=schema))


def _texts(
    rng: np.random.Generator, vocabulary: np.ndarray, shape: tuple[int, int]
) -> Iterator[str]:
    # By the inverse of the continuous distribution function.
    rank = np.exp(rng.random(shape) * np.log(len(vocabulary) + 1)) - 1
    for row in vocabulary[np.minimum(rank.astype(np.int64), len(vocabulary) - 1)]:
        yield " ".join(row).capitalize() + "."


def _words(number: int) -> list[str]:
    # Frequent words are short: the numbers from 1 on, with syllables for digits.
    found = []
    for rank in range(1, number + 1):
        word, rest = "", rank
        while rest:
            rest, digit = divmod(rest, len(_SYLLABLES))
            word = _SYLLABLES[digit] + word
        found.append(word)
    return found


if __name__ == "__main__":
    typer.run(run)
