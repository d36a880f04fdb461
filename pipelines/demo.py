"""The main job on MovieLens-100K or on your own log: from Parquet to scored Parquet.

`python -m pipelines.demo --out demo [--log LOG --items ITEMS]`
"""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Annotated

import pandas as pd
import pyarrow.parquet as pq
import typer

from pipelines.steps import Steps, file_state
from recsparse.cli.exit import exit_on_error
from recsparse.cli.interrupt import ending_on_signals, when_interrupted
from recsparse.cli.reporters import speaker
from recsparse.cli.terminal import show_frame
from recsparse.config.config import Config
from recsparse.config.toml_reader import load_config, parse_config
from recsparse.config.toml_writer import write_toml
from recsparse.datasets.public.catalogue import KNOWN
from recsparse.errors import MissingFileError
from recsparse.evaluation.report import COMPARISON
from recsparse.files.atomic import atomic_file, make_folder
from recsparse.reporting.progress import Reporter
from recsparse.stages.evaluate import evaluate
from recsparse.stages.fetch import fetch
from recsparse.stages.prepare import prepare
from recsparse.stages.score import RecommendOptions, recommend, score
from recsparse.stages.train import train
from recsparse.stages.tune import tune

PUBLIC_SET = "movielens-100k"
OURS = "blend"
BASELINES = ("popularity", "item_knn", "ease", "ials")
CANDIDATES_PER_USER = 100
SHOWN_ROWS = 5
SHOWN_COLUMNS = {
    "model": "model",
    "ndcg@10": "nDCG@10",
    "recall@20": "Recall@20",
    "coverage@20": "coverage@20",
    "fit seconds": "fit seconds",
}
CONFIG = Path(__file__).with_name("demo.toml")


@dataclass(frozen=True)
class Job:
    """Where the demo's outputs are.

    Attributes:
        out: Folder of everything.
        steps: Which of them are up to date.
        config: The configuration.
    """

    out: Path
    steps: Steps
    config: Config

    @property
    def dataset(self) -> Path:
        """The dataset folder."""
        return self.out / "dataset"

    @property
    def report(self) -> Path:
        """The folder of the comparison."""
        return self.out / "report"

    def model(self, kind: str) -> Path:
        """Return the model folder of one kind.

        Args:
            kind: Kind of the model.

        Returns:
            The folder.
        """
        return self.out / kind


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("demo"),
    log: Annotated[Path | None, typer.Option(help="Your own log; else MovieLens-100K.")] = None,
    items: Annotated[Path | None, typer.Option(help="Your own items with text.")] = None,
    seed: Annotated[int, typer.Option(help="Of the split and of all training.")] = 0,
) -> None:
    """Fetch, prepare, train, evaluate, score and recommend; then show what came out."""
    started = time.perf_counter()
    reporter = speaker()
    if log is None:
        folder = fetch(PUBLIC_SET, reporter=reporter)
        reporter.say(KNOWN[PUBLIC_SET].terms.licence)
        log, items = folder / "interactions.parquet", folder / "items.parquet"
    elif not log.exists():
        raise MissingFileError(f"LOG must be a Parquet file or folder, but there is none at {log}")
    make_folder(out)
    job = Job(out, Steps(out, reporter.say), load_config(CONFIG, [f"seed={seed}"]))
    _prepare(job, log, items, reporter)
    for kind in (OURS, *BASELINES):
        _train(job, kind, reporter)
    _evaluate(job, reporter)
    _score(job, reporter)
    _show(job)
    reporter.say(f"done in {time.perf_counter() - started:.0f} s")


def _prepare(job: Job, log: Path, items: Path | None, reporter: Reporter) -> None:
    inputs = [path for path in (log, items) if path is not None]
    sections = job.config.model_dump(include={"seed", "log", "split", "text", "order"})
    job.steps.run(
        job.dataset,
        (file_state(inputs), sections),
        lambda: prepare(log, job.dataset, items, job.config, reporter, overwrite=True),
    )


def _train(job: Job, kind: str, reporter: Reporter) -> None:
    """Tune a model on the validation part and fit it with the best settings."""
    config = _config_of(job.config, kind)
    tuned, model = job.out / f"{kind}.toml", job.model(kind)
    data = job.steps.fingerprint(job.dataset)
    job.steps.run(
        tuned,
        (data, config, config.model.search_space),
        lambda: _tune(job, config, tuned, reporter),
    )
    depends_on = data, tuned.read_text(encoding="utf-8")
    # A killed training resumes where it stopped; one of other rows or settings does not count.
    checkpoints = model.with_name(f"{kind}.checkpoints")
    resume = checkpoints.is_dir() and job.steps.was_begun(model, depends_on)
    if checkpoints.is_dir() and not resume:
        shutil.rmtree(checkpoints)
    job.steps.run(
        model,
        depends_on,
        lambda: train(job.dataset, model, load_config(tuned), resume, reporter, overwrite=True),
    )


def _tune(job: Job, config: Config, out: Path, reporter: Reporter) -> None:
    if config.model.search_space:
        tune(job.dataset, config, out, reporter=reporter, overwrite=True)
        return
    # With nothing to choose from, a trial would be a whole fit for nothing.
    with atomic_file(out) as aside:
        write_toml(aside, config.model_dump(mode="json", exclude_none=True))


def _evaluate(job: Job, reporter: Reporter) -> None:
    models = [job.model(kind) for kind in (OURS, *BASELINES)]
    job.steps.run(
        job.report,
        [job.steps.fingerprint(model) for model in models],
        lambda: evaluate(models, job.dataset, job.report, job.config, reporter, overwrite=True),
    )


def _config_of(config: Config, kind: str) -> Config:
    if kind == config.model.kind:
        return config
    return parse_config({**config.model_dump(mode="json"), "model": {"kind": kind}})


def _score(job: Job, reporter: Reporter) -> None:
    """Let ItemKNN choose candidates, our model score them, and recommend from the catalogue."""
    candidates, scores = job.out / "candidates.parquet", job.out / "scores.parquet"
    options = RecommendOptions(k=CANDIDATES_PER_USER, dataset=job.dataset)
    knn, ours = (job.steps.fingerprint(job.model(kind)) for kind in ("item_knn", OURS))
    job.steps.run(candidates, knn, lambda: _candidates(job, candidates, options, reporter))
    job.steps.run(
        scores,
        (knn, ours),
        lambda: score(
            job.model(OURS), candidates, scores, job.dataset, reporter=reporter, overwrite=True
        ),
    )
    lists = job.out / "recommendations.parquet"
    options = replace(options, k=20)
    job.steps.run(
        lists,
        ours,
        lambda: recommend(job.model(OURS), lists, options, reporter, overwrite=True),
    )


def _candidates(job: Job, out: Path, options: RecommendOptions, reporter: Reporter) -> None:
    lists = out.with_name("candidate_lists.parquet")
    recommend(job.model("item_knn"), lists, options, reporter, overwrite=True)
    pairs = pq.read_table(lists, columns=["user_id", "item_id"])
    with atomic_file(out) as aside:
        pq.write_table(pairs, aside, compression="zstd")


def _show(job: Job) -> None:
    compared = pd.read_parquet(job.report / COMPARISON)
    users = int(compared["users"].max())
    show_frame(
        f"test part: {users:,} users",
        compared[list(SHOWN_COLUMNS)].rename(columns=SHOWN_COLUMNS),
    )
    scores = job.out / "scores.parquet"
    first = pq.read_table(scores).slice(0, SHOWN_ROWS).to_pandas()
    show_frame(f"{scores}: {pq.read_metadata(scores).num_rows:,} rows, the first of them", first)
    where = "" if job.out == Path("demo") else f" OUT={quote(str(job.out))}"
    typer.echo(f"look at the runs in MLflow: make ui{where}")


if __name__ == "__main__":
    when_interrupted(lambda: "what is complete is kept; resume with the same command")
    with ending_on_signals(for_good=True):
        exit_on_error(app)
