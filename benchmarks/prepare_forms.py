"""How fast `recsparse prepare` is by the kind of the files and of the ids, next to DuckDB alone.

`python -m benchmarks.prepare_forms [--rows 2000000] [--files 8] [--rounds 3] [--out FILE]
[--forms parquet-integer,parquet-text,csv-integer,csv-text]`

The contenders are those of `benchmarks.prepare` on the same rows, each in fresh processes that
take turns. Seconds are medians, of the processor and of the clock, the start of the interpreter
included; peaks are the highest of all rounds. Compare within one run only.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.measuring.prepare_report import Rounds
from benchmarks.measuring.synthetic_rows import Form
from benchmarks.measuring.turns import Out, show_rows
from benchmarks.rivals.prepare_bench import Bench


def run(  # noqa: PLR0913 (one parameter per option)
    rows: Annotated[int, typer.Option(help="Rows of the log.", min=2_000)] = 2_000_000,
    files: Annotated[int, typer.Option(help="Files of the log.", min=1)] = 8,
    rounds: Annotated[int, typer.Option(help="Turns of each contender.", min=1)] = 3,
    forms: Annotated[str, typer.Option(help="Of files and ids, by commas.")] = ",".join(Form),
    memory: Annotated[str, typer.Option(help="Limit of prepare and of DuckDB.")] = "1GB",
    threads: Annotated[int, typer.Option(help="Of prepare and of DuckDB.", min=1)] = 2,
    folder: Annotated[Path | None, typer.Option(help="Where to write logs and outputs.")] = None,
    out: Out = None,
) -> None:
    """Measure and show one row a form."""
    chosen = [Form(name) for name in forms.split(",")]
    with TemporaryDirectory(dir=folder) as work:
        bench = Bench(Path(work), files, rounds, memory, threads)
        found = [row_of_form(form, bench.against_duckdb(rows, form)) for form in chosen]
    show_rows(f"Preparing {rows:,} rows, by files and ids", found, out)


def row_of_form(form: Form, found: Mapping[str, Rounds]) -> dict[str, object]:
    """Return a row of the table.

    Args:
        form: Of files and ids.
        found: Runs of `prepare` and of DuckDB alone.

    Returns:
        Seconds and peaks of both, and their ratios.

    Raises:
        RuntimeError: If one of them failed.
    """
    for name, each in found.items():
        if each.failure:
            raise RuntimeError(f"{name} must prepare {form}, but it ended with: {each.failure}")
    ours, duck = found["recsparse"], found["DuckDB alone"]
    return {
        "files and ids": form,
        "CPU seconds": ours.cpu_seconds,
        "DuckDB alone, CPU seconds": duck.cpu_seconds,
        "CPU ÷ DuckDB": ours.cpu_seconds / duck.cpu_seconds,
        "seconds": ours.seconds,
        "DuckDB alone, seconds": duck.seconds,
        "seconds ÷ DuckDB": ours.seconds / duck.seconds,
        "peak, MB": ours.peak_mb,
        "DuckDB alone, peak, MB": duck.peak_mb,
    }


if __name__ == "__main__":
    typer.run(run)
