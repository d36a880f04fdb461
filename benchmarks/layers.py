"""How fast and how lean the layers are, next to every engine that pip installs and a CPU runs.

`python -m benchmarks.layers [--threads 1,2] [--rounds 7] [--out FILE]`

Forward and backward with a kept map, the map built cold, and the peak of memory of submanifold
convolutions with kernel 3, of this package, of plain torch, and of spconv, Open3D and ocnn; each
engine is a process of its own, the processes take turns, and the figures are medians. Before
anything is timed, the results of each are compared with float64 numpy. The limits are the times of
the same multiply-adds as plain matrix products of contiguous rows into memory that is there, as
torch multiplies and as OpenBLAS does; below the first one is possible, since torch's MKL takes no
512-bit instructions on processors of AMD.

The peers live in `.venv-peers`, which `make bench-peers` builds from `benchmarks/peers.txt`. Peers
that are not there are left out, with the reason.

`--sweep` measures growth from a thousand cells on instead, `--huge` ten million cells with 64
channels, `--types` first layers of few channels and a depthwise one in every type of features,
which take turns in one process. Numbers depend on whatever else the machine does: compare within
one run only, and trust two threads only on a machine that has two idle cores, as the load in the
first line tells.
"""

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer

from benchmarks.engines.cases import CASES, SMALL, Case, Cells, surface_keys
from benchmarks.engines.fleet import LIMITS, Contender, measure
from benchmarks.engines.problem import milliseconds
from benchmarks.engines.report import (
    Row,
    cases_table,
    correctness_table,
    map_table,
    memory_table,
    step_table,
    summary,
)
from benchmarks.engines.sweep import growth_table, huge_table, plot_growth, sweep
from benchmarks.measuring.tables import markdown
from benchmarks.measuring.turns import row_of
from recsparse.layers.conv import SubmanifoldConv3d
from recsparse.sparse.grid import Grid
from recsparse.sparse.tensor import SparseTensor

TYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
SCAN = Cells("voxels 20k", (96, 96, 96), 20_000, surface_keys)
# Channels of input and output, and groups: first layers of a network, an inner and a depthwise one.
FEW_CHANNELS = ((1, 16, 1), (3, 32, 1), (16, 16, 1), (16, 16, 16))


def run(  # noqa: PLR0913 (one parameter per option)
    threads: Annotated[str, typer.Option(help="Numbers of threads, by commas.")] = "1,2",
    rounds: Annotated[int, typer.Option(help="Turns of each engine.", min=1)] = 7,
    dtype: Annotated[str, typer.Option(help="bfloat16 adds ours in that type.")] = "float32",
    only: Annotated[str, typer.Option(help="Only cases whose name begins so.")] = "",
    channels: Annotated[int, typer.Option(help="Only cases with this many channels.")] = 0,
    growth: Annotated[bool, typer.Option("--sweep", help="Growth instead of the cases.")] = False,
    most: Annotated[int, typer.Option(help="Most cells of the sweep.")] = 10_000_000,
    huge: Annotated[bool, typer.Option("--huge", help="Ten million cells, 64 channels.")] = False,
    types: Annotated[bool, typer.Option("--types", help="Few channels in every type.")] = False,
    plots: Annotated[Path | None, typer.Option(help="Folder of the sweep's plot.")] = None,
    out: Annotated[Path | None, typer.Option(help="File of all tables, as markdown.")] = None,
) -> None:
    """Measure and show the tables."""
    counts = [int(count) for count in threads.split(",")]
    parts = [_machine(counts)]
    if growth:
        table = growth_table(sweep(counts[-1], rounds, most))
        parts.append(markdown("Growth with the number of cells, 32 channels", table))
        if plots:
            plot_growth(table, plots / "layers_growth.png")
    if huge:
        parts.append(markdown("Ten million cells, 64 channels", huge_table(counts[-1])))
    if types:
        title = "Forward + backward of few channels, milliseconds"
        parts.append(markdown(title, types_table(SCAN, rounds, counts[-1])))
    if not (growth or huge or types):
        cases = [
            case
            for case in CASES
            if case.cells.name.startswith(only) and channels in (0, case.channels)
        ]
        parts += case_tables(cases, counts, rounds, dtype)
    text = "\n".join(parts)
    typer.echo(text)
    if out:
        out.write_text(text, encoding="utf-8")


def contenders(threads: list[int], dtype: str = "float32") -> list[Contender]:
    """Return who is measured: who runs with each number of threads, and who with the last alone.

    Args:
        threads: Numbers of threads.
        dtype: `bfloat16` adds this package in that type.

    Returns:
        The contenders; spconv is better with one thread in some cases and with two in others.
    """
    extra = [Contender("recsparse", threads[-1], dtype)] if dtype != "float32" else []
    return [
        *(Contender("recsparse", count) for count in threads),
        *extra,
        *(Contender(limit, threads[-1]) for limit in LIMITS),
        *(Contender(name, count) for name in ("spconv", "index_add") for count in threads),
        *(Contender(name, threads[-1]) for name in ("open3d", "ocnn")),
    ]


def case_tables(cases: list[Case], threads: list[int], rounds: int, dtype: str) -> list[str]:
    """Measure cases, and return their tables.

    Args:
        cases: What to convolve.
        threads: Numbers of threads.
        rounds: Turns of each engine.
        dtype: `bfloat16` adds this package in that type.

    Returns:
        Markdown, one entry per table.
    """
    who = contenders(threads, dtype)
    small = [Row(case, *measure(case, who, 0)) for case in (Case(cells, 16) for cells in SMALL)]
    rows = []
    for case in cases:
        typer.echo(f"measuring {case.cells.name}, C = {case.channels}", err=True)
        rows.append(Row(case, *measure(case, who, rounds)))
    return [
        markdown("Largest error, in units of the largest value", correctness_table(small + rows)),
        markdown("Cases", cases_table(rows)),
        markdown("Forward + backward, milliseconds", step_table(rows, threads)),
        markdown("Building the map cold, milliseconds", map_table(rows)),
        markdown("Peak of memory, megabytes", memory_table(rows)),
        "\n".join(["## Summary", "", *(f"- {line}" for line in summary(rows)), ""]),
    ]


def types_table(cells: Cells, rounds: int, threads: int) -> pd.DataFrame:
    """Measure layers of few channels in every type of features, which take turns.

    Args:
        cells: What to convolve, in three axes.
        rounds: Turns of each type.
        threads: Of torch.

    Returns:
        One row per layer: milliseconds, and how many times as long as float32 the others take.
    """
    torch.set_num_threads(threads)
    grid, rows = Grid(torch.from_numpy(cells.coords()), cells.shape, 1), []
    for inputs, outputs, groups in FEW_CHANNELS:
        name = f"{inputs} to {outputs}" + (f" in {groups} groups" if groups > 1 else "")
        turns = {str(dtype)[6:]: _pass(grid, inputs, outputs, groups, dtype) for dtype in TYPES}
        taken: dict[str, list[float]] = {kind: [] for kind in turns}
        for _ in range(rounds):
            for kind, turn in turns.items():
                taken[kind] += milliseconds(turn, 0)
        rows.append(row_of(name, taken, "float32", "float32"))
    return pd.DataFrame(rows)


def _pass(
    grid: Grid, inputs: int, outputs: int, groups: int, dtype: torch.dtype
) -> Callable[[], None]:
    random = torch.Generator().manual_seed(0)
    layer = SubmanifoldConv3d(inputs, outputs, 3, groups=groups).to(dtype)
    feats = torch.randn(grid.num_cells, inputs, generator=random).to(dtype).requires_grad_()
    into = torch.randn(grid.num_cells, outputs, generator=random).to(dtype)

    def turn() -> None:
        out = layer(SparseTensor(grid, feats)).feats
        torch.autograd.grad(out, [feats, *layer.parameters()], into)

    turn()  # builds the map
    return turn


def _machine(threads: list[int]) -> str:
    model = [
        line.partition(":")[2].strip()
        for line in _read(Path("/proc/cpuinfo")).splitlines()
        if line.startswith("model name")
    ]
    return (
        f"{model[0] if model else platform.processor()}, threads {threads}, Python "
        f"{platform.python_version()}, torch {torch.__version__}, float32 unless said otherwise; "
        f"load of the machine before the run: {os.getloadavg()[0]:.1f}\n"
    )


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    typer.run(run)
