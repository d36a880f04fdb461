"""The work of a backtest: datasets of its splits, and the cells that are not known yet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recsparse.config.config import Config
from recsparse.datasets.building.sources import FileSources
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import DESCRIPTION
from recsparse.datasets.workspace import Resources
from recsparse.errors import InputError
from recsparse.files.atomic import make_folder, remove
from recsparse.reporting.progress import Reporter
from recsparse.stages.backtesting.cell_fit import SplitData, fitted_cell
from recsparse.stages.backtesting.cells import Cell, Cells
from recsparse.stages.backtesting.plan import BacktestSplit
from recsparse.stages.data import load_data
from recsparse.stages.prepare import prepare


@dataclass(frozen=True)
class BacktestWork:
    """Makes the cells that are not known yet.

    Attributes:
        sources: The log and its tables.
        models: The configuration of each model.
        cells: What is known.
        reporter: Shows the progress.
        resources: What the preparation may use.
        keep: Whether datasets stay.
    """

    sources: FileSources
    models: Mapping[str, Config]
    cells: Cells
    reporter: Reporter
    resources: Resources
    keep: bool

    def cells_of(self, splits: Sequence[BacktestSplit]) -> dict[str, dict[str, list[Cell]]]:
        """Return the cells of all splits.

        Args:
            splits: The splits.

        Returns:
            Of each model and split one cell a seed.

        Raises:
            InputError: If a split has too few rows, or a model needs what it lacks; the error
                names the split.
        """
        found: dict[str, dict[str, list[Cell]]] = {name: {} for name in self.models}
        with self.reporter.task("backtesting", len(splits)) as advance:
            for done, split in enumerate(splits):
                advance(done, str(split))
                with _named(split):
                    self._fill(split)
                for number, name in enumerate(self.models):
                    cells = [self.cells.read(split.number, seed, number) for seed in split.seeds]
                    found[name][split.name] = cells
            advance(len(splits))
        return found

    def move_datasets(self, splits: Sequence[BacktestSplit], folder: Path) -> None:
        """Move the datasets of all splits, where they are to be kept.

        Args:
            splits: The splits.
            folder: Where to.
        """
        if not self.keep:
            return
        make_folder(folder)
        for split in splits:
            name = split.name.replace(", ", "-").replace(" ", "-")
            self.cells.dataset(split.number).rename(folder / name)

    def _fill(self, split: BacktestSplit) -> None:
        missing = [
            (seed, number, name)
            for number, name in enumerate(self.models)
            for seed in split.seeds
            if not self.cells.has(split.number, seed, number)
        ]
        folder = self.cells.dataset(split.number)
        if missing or self.keep:
            data = self._dataset(split, folder)
        if missing:
            with self.reporter.task("laying out the rows"):
                laid_out = SplitData.of(data)
        for seed, number, name in missing:
            seeded = self.models[name].model_copy(update={"seed": seed})
            with self.reporter.task(f"{name}, seed {seed}" if len(split.seeds) > 1 else name):
                cell = fitted_cell(laid_out, seeded, self.reporter)
            self.cells.write(split.number, seed, number, cell)
        if not self.keep:
            remove(folder.parent)

    def _dataset(self, split: BacktestSplit, folder: Path) -> Dataset:
        if (folder / DESCRIPTION).is_file():  # which stands there when the folder is whole
            return load_data(folder, self.reporter)
        make_folder(folder.parent)
        with self.reporter.task(f"preparing {split.name}"):
            made = self.sources, folder, None, split.config, self.reporter, self.resources
            return prepare(*made)


@contextmanager
def _named(split: BacktestSplit) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise type(error)(f"in {split}: {error}") from error
