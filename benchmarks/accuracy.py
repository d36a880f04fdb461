"""How well the models rank, under the protocols of `benchmarks.protocols.protocols`.

`python -m benchmarks.accuracy [PROTOCOL …] [--seeds 3] [--first-seed 0] [--models a,b] [--refit]
[--out accuracy]`

Each seed splits anew, or, where the data gives the split, draws the models' random numbers anew.
Every model's settings are chosen on the validation part, with `benchmarks.protocols.contenders` as
the search; then its test part is read once. What is done already is not done again. Next to each
result lie the configuration that was chosen, which `recsparse train --config` takes, and one that
holds the epochs and weights found, too; `curves.png` shows accuracy against CPU seconds.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from scipy.stats import ttest_rel

from benchmarks.protocols.contenders import CONTENDERS, Contender
from benchmarks.protocols.curves import QUALITY, SECONDS, plot_curves
from benchmarks.protocols.protocols import PROTOCOLS, Protocol
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.config import Config
from recsparse.config.toml_writer import write_toml
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.fit_rows import rows_to_fit
from recsparse.files.atomic import atomic_file
from recsparse.models.protocol.recommender import Recommender
from recsparse.stages.evaluate import rank_part
from recsparse.stages.fit_on_dataset import fit_context, fit_on, refit_on, validate
from recsparse.stages.rank_part import part_to_rank

# The first of them that is measured is compared with the others.
OURS = ("recsparse", "recsparse as it comes")
console = Console()


def run(
    protocols: Annotated[list[str] | None, typer.Argument(help="Names; all without any.")] = None,
    seeds: Annotated[int, typer.Option(help="Number of splits or of seeds.", min=1)] = 3,
    first_seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    models: Annotated[str | None, typer.Option(help="Only these, by commas.")] = None,
    refit: Annotated[bool, typer.Option(help="Fit again on validation rows, too.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("accuracy"),
) -> None:
    """Run the protocols and show mean, standard error and paired differences."""
    those = range(first_seed, first_seed + seeds)
    for name in protocols or PROTOCOLS:
        protocol, contenders = PROTOCOLS[name], CONTENDERS[name]
        protocol = replace(protocol, refits=protocol.refits or refit)
        wanted = [*contenders] if models is None else models.split(",")
        for seed, model in itertools.product(those, wanted):
            job = Job(protocol, seed, out / name / f"seed-{seed}")
            if not job.result(model).exists():
                job.measure(model, contenders[model])
        found = {
            model: [pd.read_parquet(Job(protocol, seed, out / name / f"seed-{seed}").result(model))
                    for seed in those]
            for model in wanted
        }  # fmt: skip
        show_frame(f"{name}, {seeds} seeds, mean ± standard error", summary(found, protocol))
        first = Job(protocol, first_seed, out / name / f"seed-{first_seed}")
        first.draw(wanted, out / name / "curves.png")
        ours = next((model for model in OURS if model in found), None)
        if ours is not None:
            table = paired(found, protocol, ours)
            show_frame(f"{protocol.metrics[0]} of {ours} over each", table)


class Tuned(NamedTuple):
    """The best of a model's settings, and the model that was fitted with them."""

    config: Config
    model: Recommender
    seconds: float
    quality: float
    curve: pd.DataFrame


class Job:
    """One split of one protocol.

    Args:
        protocol: The protocol.
        seed: Of the split and of the models.
        folder: Where everything is written.
    """

    def __init__(self, protocol: Protocol, seed: int, folder: Path) -> None:
        self.protocol, self.seed, self.folder = protocol, seed, folder

    def result(self, model: str) -> Path:
        """Return the file of a model's metrics.

        Args:
            model: Its name.

        Returns:
            A Parquet file, one row a test user.
        """
        return self.folder / f"{model.replace(' + ', '-and-').replace(' ', '-')}.parquet"

    def measure(self, name: str, contender: Contender) -> None:
        """Choose a model's settings on validation, then read the test once.

        Args:
            name: Name of the model.
            contender: The model and its search.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        data = self.protocol.dataset(self.seed, self.folder / "dataset")
        started = time.process_time()
        best = self._tuned(name, contender, data)
        searched = time.process_time() - started
        config, model, seconds = best.config, best.model, best.seconds
        settled = config.model_copy(update={"model": model.settled(), "refit": False})
        if config.refit:
            started = time.process_time()
            rows = rows_to_fit(data, with_validation=True)
            model = refit_on(
                rows, model, fit_context(data, rows, part_to_rank(data, "validation"), config)
            )
            seconds += time.process_time() - started
        test = rank_part(model, Lists.of_part(part_to_rank(data, "test")), config)
        table = pd.DataFrame({metric: test.per_user[metric] for metric in self.protocol.metrics})
        if self.protocol.counts_unseen:
            table = with_misses(table, data.counts["test_rows_of_unseen_items"])
        table = table.assign(
            cpu_seconds=seconds, search_cpu_seconds=searched, validation=best.quality
        )
        for ending, kept in ((".toml", config), (".settled.toml", settled)):
            path = self.result(name).with_suffix(ending)
            write_toml(path, kept.model_dump(mode="json"))
        best.curve.to_parquet(self.result(name).with_suffix(".curve.parquet"))
        with atomic_file(self.result(name)) as aside:
            table.to_parquet(aside)

    def draw(self, models: Sequence[str], path: Path) -> None:
        """Draw the validation quality of models over their CPU seconds.

        Args:
            models: Their names; all are measured.
            path: The picture.
        """
        curves, finals = {}, {}
        for model in models:
            result = pd.read_parquet(self.result(model)).iloc[0]
            finals[model] = float(result["cpu_seconds"]), float(result["validation"])
            curve = self.result(model).with_suffix(".curve.parquet")
            if curve.exists():
                curves[model] = pd.read_parquet(curve)
        plot_curves(curves, finals, self.protocol.metrics[0]).savefig(path)

    def _tuned(self, name: str, contender: Contender, data: Dataset) -> Tuned:
        part, metric = part_to_rank(data, "validation"), self.protocol.metrics[0]
        best: Tuned | None = None
        model: Recommender | None = None
        for values in itertools.product(*contender.space.values()):
            settings = dict(zip(contender.space, values, strict=True))
            config = self.protocol.config(self.seed, {**contender.model, **settings})
            same_fit = None if model is None else model.with_settings(config.model)
            if same_fit is None:
                epochs = Epochs(started := time.process_time())
                rows = rows_to_fit(data)
                context = fit_context(data, rows, part, config)
                model = fit_on(rows, config, replace(context, on_epoch=epochs.add))
                seconds = time.process_time() - started
            else:
                model = same_fit
            quality = validate(model, data, part, config).mean()[metric]
            console.print(f"{self.folder} {name} {settings}: {quality:.4f}, {seconds:.0f} CPU s")
            if best is None or quality > best.quality:
                best = Tuned(config, model, seconds, quality, epochs.frame())
        assert best is not None, f"the search space of {name} has no values"
        return best


def with_misses(table: pd.DataFrame, misses: int) -> pd.DataFrame:
    """Count users whose one test item no model can rank, since it has no training row.

    Args:
        table: Metrics of the other users.
        misses: How many they are.

    Returns:
        The table, a row of zeros for each of them at its end.
    """
    zeros = pd.DataFrame(0.0, index=range(misses), columns=table.columns)
    return pd.concat([table, zeros], ignore_index=True)


class Epochs:
    """The validation quality of a network after each epoch, and the CPU seconds until then.

    Args:
        started: Where the clock of the process was.
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self.rows: list[tuple[float, float]] = []

    def add(self, _: int, metrics: Mapping[str, float]) -> None:
        """Take an epoch's metrics; those of the parts of a blend are of no network alone.

        Args:
            metrics: By name.
        """
        if "validation_ndcg" in metrics:
            self.rows.append((time.process_time() - self.started, metrics["validation_ndcg"]))

    def frame(self) -> pd.DataFrame:
        """Return what was taken.

        Returns:
            One row per epoch.
        """
        return pd.DataFrame(self.rows, columns=[SECONDS, QUALITY], dtype=np.float64)


def summary(found: dict[str, list[pd.DataFrame]], protocol: Protocol) -> pd.DataFrame:
    """Return the means of all models.

    Args:
        found: The metrics of each model's test users, one frame a seed.
        protocol: Says which metrics.

    Returns:
        One row per model: means over the seeds' means, with their standard errors where there are
        several seeds and that over the users where there is one.
    """
    rows: list[dict[str, Any]] = []
    for model, frames in found.items():
        row: dict[str, Any] = {"model": model}
        for metric in protocol.metrics:
            values = [frame[metric].to_numpy(np.float64) for frame in frames]
            means = [float(np.nanmean(each)) for each in values]
            row[metric] = f"{np.mean(means):.4f} ± {_standard_error(means, values[0]):.4f}"
        seconds = [float(frame["cpu_seconds"].iloc[0]) for frame in frames]
        row["CPU seconds"] = f"{np.mean(seconds):.0f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _standard_error(means: list[float], of_users: np.ndarray) -> float:
    """Over the seeds, or over the users where there is but one seed."""
    sample = np.array(means) if len(means) > 1 else of_users[~np.isnan(of_users)]
    return float(sample.std(ddof=1) / len(sample) ** 0.5)


def paired(found: dict[str, list[pd.DataFrame]], protocol: Protocol, ours: str) -> pd.DataFrame:
    """Compare a model with each other one, user by user.

    Args:
        found: The metrics of each model's test users, one frame a seed.
        protocol: The first of its metrics is compared.
        ours: Name of the model.

    Returns:
        One row per rival: the ratio of the means, and the largest p of a paired t-test over the
        users of each seed.
    """
    metric = protocol.metrics[0]
    own = [frame[metric] for frame in found[ours]]
    rows = []
    for rival, frames in found.items():
        if rival == ours:
            continue
        theirs = [frame[metric] for frame in frames]
        ratio = np.mean([each.mean() for each in own]) / np.mean([each.mean() for each in theirs])
        tests = [
            ttest_rel(a, b, nan_policy="omit").pvalue for a, b in zip(own, theirs, strict=True)
        ]
        rows.append({"over": rival, "ratio": f"{ratio:.3f}", "largest p": f"{max(tests):.1e}"})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
