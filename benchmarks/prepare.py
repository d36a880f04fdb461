"""How fast and how lean `recsparse prepare` is, next to DuckDB alone, RecBole and RecTools.

`python -m benchmarks.prepare [--rows 20000000] [--files 8] [--rounds 3] [--out FILE]`

Each contender runs in a fresh process, the processes take turns, seconds are medians and peaks the
highest of all rounds. DuckDB alone does no more than to replace the ids of the same files by
integers and to write the rows again, with the same memory limit and threads; `prepare` checks,
sorts, drops duplicates, splits, fits orders and keeps the log next to it.

The peers live in `.venv-data-peers`, which `make bench-data-peers` builds from
`benchmarks/peers_data.txt`, and load as many rows as they survive. RecBole reads its own kind of
file, whose making is not counted. Peers that are not there are left out.

Numbers depend on whatever else the machine does: compare within one run only.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pandas as pd
import typer

from benchmarks.measuring.measured_process import machine
from benchmarks.measuring.prepare_report import contenders_table, growth_table, targets_table
from benchmarks.measuring.tables import markdown
from benchmarks.rivals.prepare_bench import Bench


def run(  # noqa: PLR0913 (one parameter per option)
    rows: Annotated[int, typer.Option(help="Rows of the log.", min=100)] = 20_000_000,
    files: Annotated[int, typer.Option(help="Files of the log.", min=1)] = 8,
    rounds: Annotated[int, typer.Option(help="Turns of each contender.", min=1)] = 3,
    peer_rounds: Annotated[int, typer.Option(help="Turns with the peers.", min=1)] = 1,
    growth: Annotated[int, typer.Option(help="A log this many times as long; 1: none.")] = 4,
    peers: Annotated[str, typer.Option(help="Rows for the peers, by commas.")] = "5000000,20000000",
    memory: Annotated[str, typer.Option(help="Limit of prepare and of DuckDB.")] = "1GB",
    threads: Annotated[int, typer.Option(help="Of prepare and of DuckDB.", min=1)] = 2,
    folder: Annotated[Path | None, typer.Option(help="Where to write logs and outputs.")] = None,
    out: Annotated[Path | None, typer.Option(help="File of all tables, as markdown.")] = None,
) -> None:
    """Measure and show the tables."""
    parts = ["## Preparing logs\n", machine()]
    with TemporaryDirectory(dir=folder) as work:
        bench = Bench(Path(work), files, rounds, memory, threads)
        small = bench.against_duckdb(rows)
        parts.append(_section(f"{rows:,} rows", contenders_table(small)))
        large = bench.against_duckdb(rows * growth) if growth > 1 else {}
        parts += [
            _section(f"Growth of {name}", growth_table([small[name], each]))
            for name, each in large.items()
        ]
        sizes = [int(size) for size in peers.split(",") if size]
        loaded = [bench.against_peers(size, peer_rounds) for size in sizes]
    for size, found in zip(sizes, loaded, strict=True):
        parts.append(_section(f"Other libraries, {size:,} rows", contenders_table(found)))
    parts.append(_section("What was asked", targets_table(small, large, loaded)))
    text = "\n".join(parts)
    typer.echo(text)
    if out:
        out.write_text(text, encoding="utf-8")


def _section(title: str, table: pd.DataFrame) -> str:
    return f"#{markdown(title, table)}"


if __name__ == "__main__":
    typer.run(run)
