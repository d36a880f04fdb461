"""The nightly job: new rows, a model that continues from the champion, a fair fight, fresh lists.

`python -m pipelines.nightly logs/ --out shop`: what failed or was killed anywhere leaves the
champion and the lists of the night before in place; the same command takes it up.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.steps import Steps, file_state
from recsparse.cli.exit import exit_on_error
from recsparse.cli.interrupt import ending_on_signals, when_interrupted
from recsparse.cli.reporters import speaker
from recsparse.config.config import Config
from recsparse.config.toml_reader import load_config
from recsparse.config.toml_writer import write_toml
from recsparse.datasets.building.sources import Sources
from recsparse.errors import CheckpointError, InputError, MissingFileError
from recsparse.files.atomic import atomic_file, make_folder
from recsparse.outputs.manifest import read_manifest
from recsparse.reporting.progress import Reporter
from recsparse.scoring.model_folder import read_model_description
from recsparse.stages.load import locate
from recsparse.stages.prepare import prepare
from recsparse.stages.promote import promote
from recsparse.stages.score import RecommendOptions, recommend
from recsparse.stages.train import train
from recsparse.tracking.open_run import send_unsent
from recsparse.tracking.registry import Registry
from recsparse.tracking.store import store_file, tracking_uri

CONFIG = Path(__file__).with_name("nightly.toml")
ALIAS = "champion"


@dataclass(frozen=True)
class Night:
    """One night's work, and where its outputs are.

    Attributes:
        out: Folder of everything.
        name: Of the night, such as its date.
        model_name: Of the registered model.
        config: The configuration; it names the store.
        steps: Which steps are up to date.
        reporter: Shows the progress.
    """

    out: Path
    name: str
    model_name: str
    config: Config
    steps: Steps
    reporter: Reporter

    @property
    def dataset(self) -> Path:
        """The dataset folder, the same every night."""
        return self.out / "dataset"

    @property
    def model(self) -> Path:
        """The folder of tonight's model; next to the store, as MLflow's files are."""
        return self.out / f"model-{self.name}"

    @property
    def lists(self) -> Path:
        """The lists that are served."""
        return self.out / "recommendations.parquet"

    @property
    def over(self) -> str:
        """The address of the champion."""
        return f"models:/{self.model_name}@{ALIAS}"

    def champion(self) -> str | None:
        """Return the version of the champion; None where there is none yet."""
        uri = str(self.config.tracking.uri)
        file = store_file(uri)
        if file is not None and not file.is_file():
            return None
        return Registry(uri, self.model_name, ALIAS).champion()

    def data(self) -> str:
        """Return a digest of the dataset's content."""
        manifest = read_manifest(self.dataset)
        return "" if manifest is None else manifest.digest

    def located(self, version: str) -> Path:
        """Return the folder of a registered version."""
        address = f"models:/{self.model_name}/{version}"
        return locate(address, self.out, self.reporter, self.config.tracking)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(  # noqa: PLR0913 (one parameter per option)
    logs: Annotated[Path, typer.Argument(help="Folder of logs, to which new files come.")],
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("nightly"),
    items: Annotated[Path | None, typer.Option(help="Items with what is known of them.")] = None,
    name: Annotated[str, typer.Option(help="Name of the registered model.")] = "nightly",
    night: Annotated[str, typer.Option(help="Name of the night; else the date, UTC.")] = "",
    config: Annotated[Path, typer.Option(help="TOML configuration.")] = CONFIG,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in training.epochs=20.")
    ] = None,
    k: Annotated[int, typer.Option(help="Length of the lists.")] = 20,
) -> None:
    """Append, train from the champion, evaluate, promote, recommend; the same night only once."""
    if not logs.exists():
        raise MissingFileError(f"LOGS must be a file or a folder, but there is none at {logs}")
    reporter = speaker()
    night = night or datetime.now(UTC).date().isoformat()
    if night in {".", ".."} or "/" in night:
        raise InputError(f"--night must be the name of a folder, but is {night!r}; use a date")
    make_folder(out)
    settings = load_config(config, overrides or [])
    tracking = settings.tracking.model_copy(update={"uri": tracking_uri(settings.tracking, out)})
    settings = settings.model_copy(update={"tracking": tracking})
    work = Night(out, night, name, settings, Steps(out, reporter.say), reporter)
    _append(work, logs, items)
    start = _start(work)
    _train(work, start)
    decision = _promote(work)
    _recommend(work, k)
    reporter.say(decision)


def _append(night: Night, logs: Path, items: Path | None) -> None:
    given = [path for path in (logs, items) if path is not None]
    sections = night.config.model_dump(include={"seed", "log", "split", "text", "features"})
    before = night.dataset if night.dataset.exists() else None
    sources = Sources(logs=str(logs), items=items, append_to=before, repeats="skip")
    night.steps.run(
        night.dataset,
        (file_state(given), sections),
        lambda: prepare(sources, night.dataset, config=night.config, reporter=night.reporter),
    )


def _start(night: Night) -> str | None:
    """Return the version that tonight's model continues from: who is champion as the night begins.

    It is written down: once tonight's model is the champion, a job that is started again must not
    train it from itself.
    """
    record = night.out / f"start-{night.name}.toml"
    champion = night.champion()
    night.steps.run(record, night.data(), lambda: _write(record, {"champion": champion or ""}))
    return str(_read(record)["champion"]) or None


def _train(night: Night, start: str | None) -> None:
    def fit(resume: bool = True) -> None:
        known = None if start is None else _to_continue(night, night.located(start))
        train(
            night.dataset, night.model, night.config, resume, night.reporter, known,
            fresh=not resume, again=False,
        )  # fmt: skip

    def fit_or_start_anew() -> None:
        try:
            fit()
        except CheckpointError:
            # A training that was killed, of rows or settings that have changed since.
            fit(resume=False)

    night.steps.run(night.model, (night.data(), night.config, start), fit_or_start_anew)


def _to_continue(night: Night, champion: Path) -> Path | None:
    """Return the champion's folder; None where the configuration asks for another kind of model."""
    kind, wanted = str(read_model_description(champion)["model"]["kind"]), night.config.model.kind
    if wanted == kind or "model" not in night.config.model_fields_set:
        return champion
    night.steps.say(f"the champion is a model of the kind {kind}; {wanted} is fitted anew")
    return None


def _promote(night: Night) -> str:
    """Return the decision in a line."""
    record = night.out / f"promotion-{night.name}.toml"

    def decide() -> None:
        # What the store did not take while it was away: the model, too.
        send_unsent(night.out, night.config.tracking)
        decided = promote(
            night.model, night.over, night.dataset, night.config, reporter=night.reporter,
            out=night.out / f"report-{night.name}",
        )  # fmt: skip
        _write(record, {"promoted": decided.promoted, "said": str(decided)})

    night.steps.run(record, (night.steps.fingerprint(night.model), night.config.promotion), decide)
    return str(_read(record)["said"])


def _recommend(night: Night, k: int) -> None:
    champion = night.champion()
    if champion is None:
        raise InputError(
            f"{night.over} must be a model by now, but nobody has the alias; another job took it "
            "away; start this one again"
        )
    options = RecommendOptions(k=k, dataset=night.dataset)
    night.steps.run(
        night.lists,
        (night.data(), champion, k),
        lambda: recommend(night.located(champion), night.lists, options, night.reporter),
    )


def _write(path: Path, values: dict[str, Any]) -> None:
    with atomic_file(path) as aside:
        write_toml(aside, values)


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def run(command: Callable[[], object] = app) -> None:
    """Run the command line of the job."""
    when_interrupted(lambda: "what is complete is kept; resume with the same command")
    with ending_on_signals(for_good=True):
        exit_on_error(command)


if __name__ == "__main__":
    run()
