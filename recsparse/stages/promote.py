"""Promotion: a model takes the place of the champion where it is better on the same test part."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from recsparse.config.config import Config, TrackingConfig
from recsparse.errors import InputError
from recsparse.evaluation.comparison import Comparison
from recsparse.evaluation.promotion_check import Check
from recsparse.evaluation.promotion_rule import promotion_checks
from recsparse.files.addresses import folder_of, is_address
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.scoring.model_content import WEIGHTS
from recsparse.scoring.model_folder import read_model_description
from recsparse.stages.evaluate import evaluate
from recsparse.stages.load import locate
from recsparse.tracking.model_address import is_model_uri
from recsparse.tracking.open_run import log_to_run
from recsparse.tracking.registry import LoggedModel, Registry, alias_of
from recsparse.tracking.store import tracking_uri


@dataclass(frozen=True)
class Promotion:
    """What came out.

    Attributes:
        promoted: Whether the alias points to the candidate now; in a dry run, whether it would.
        reason: Why, in a line.
        name: Name of the registered model.
        alias: The alias.
        version: The candidate's version; None where it was not registered.
        champion: The version that it was compared with; None where there was none.
        checks: The conditions, each with its figures.
        dry_run: Whether nothing was changed in any case.
        comparison: The figures of both models; None where the candidate was the champion before.
    """

    promoted: bool
    reason: str
    name: str
    alias: str
    version: str | None
    champion: str | None
    checks: tuple[Check, ...] = ()
    dry_run: bool = False
    comparison: Comparison | None = None

    def __str__(self) -> str:
        """Return the decision in a line."""
        # What was not registered has no version to be named by.
        of = f"the candidate for {self.name}"
        who = of if self.version is None else f"{self.name} version {self.version}"
        if self.dry_run:
            verb = "would be" if self.promoted else "would not be"
        else:
            verb = "is" if self.promoted else "is not"
        return f"{who} {verb} the {self.alias}: {self.reason}"

    @property
    def table(self) -> pd.DataFrame:
        """The checks, one row each; `p` is NaN where no test is made."""
        columns = ["kind", "metric", "candidate", "champion", "p", "passed"]
        table = pd.DataFrame([asdict(check) for check in self.checks], columns=columns)
        return table.astype({"p": float, "passed": bool})

    def tags(self) -> dict[str, str]:
        """Return what the version and the run are told."""
        decision = "promoted" if self.promoted else "not promoted"
        return {"promotion": decision, "promotion_reason": self.reason}

    def summary(self) -> dict[str, Any]:
        """Return everything but the comparison, for machines."""
        shown = {name: value for name, value in vars(self).items() if name != "comparison"}
        return {**shown, "checks": [asdict(check) for check in self.checks]}


def promote(  # noqa: PLR0913 (one parameter per option)
    candidate: str | Path,
    over: str,
    dataset: str | Path,
    config: Config | None = None,
    dry_run: bool = False,
    reporter: Reporter = SILENT,
    out: str | Path | None = None,
    overwrite: bool = True,
) -> Promotion:
    """Let an alias of a registered model point to a candidate, if it is better than who has it.

    Both models rank the same test part, as `evaluate` does, and `[promotion]` says what better is.
    Where nobody has the alias, the candidate gets it. A candidate that is no version of the name
    becomes one when it is promoted, and not otherwise, unless another promotion comes between the
    comparison and the move of the alias. The version and the run of the candidate get
    the tags `promotion`, `promoted` or `not promoted`, and `promotion_reason`.

    Args:
        candidate: A model folder or an MLflow address.
        over: The alias, as in `models:/my_model@champion`.
        dataset: The dataset folder whose test part is to be predicted.
        config: Sections `promotion`, `evaluation` and `tracking`.
        dry_run: Change nothing in the registry and set no tags; the test figures are recorded in
            the models' runs, as by `evaluate`.
        reporter: Shows the progress.
        out: Folder for a report on both, as `evaluate` writes it; None writes none.
        overwrite: Replace a report on other models, data or settings.

    Returns:
        Whether the candidate is the champion now, and why.

    Raises:
        InputError: If `over` is no alias, the candidate's model is not in the store, a metric of
            the rule is none, or nothing of the test part is left.
        MissingFileError: If there is no such model, dataset or store.
        OutputError: If the report is not ours to replace; nothing is ranked then.
        StoreError: If the store cannot be reached or written.
    """
    config = config or Config()
    name, alias = alias_of(over)
    is_folder = not is_model_uri(str(candidate)) and not is_address(candidate)
    home = folder_of(candidate if is_folder else dataset)
    tracking = config.tracking.model_copy(update={"uri": tracking_uri(config.tracking, home)})
    config = config.model_copy(update={"tracking": tracking})
    registry = Registry(str(tracking.uri), name, alias)
    with reporter.task("looking the models up in MLflow"):
        champion = registry.champion()
        found = _found(candidate, registry, home, tracking, reporter)
    decided = Promotion(True, "", name, alias, found.version, champion, dry_run=dry_run)
    if found.version is not None and found.version == champion:
        return replace(decided, reason="it was so before, and is compared with nothing")
    models = [candidate] if champion is None else [candidate, f"models:/{name}/{champion}"]
    compared = evaluate(models, dataset, out, _measuring_all(config), reporter, overwrite)
    decided = _decided(replace(decided, comparison=compared), config)
    if not dry_run:
        with reporter.task("recording the decision"):
            decided = _carried_out(decided, registry, found)
            if found.run_id is not None:
                log_to_run(tracking, home, found.run_id, {}, decided.tags())
    return decided


def _found(
    candidate: str | Path,
    registry: Registry,
    home: Path,
    tracking: TrackingConfig,
    reporter: Reporter,
) -> LoggedModel:
    # What is registered must be what is compared.
    if is_model_uri(str(candidate)):
        return registry.logged(str(candidate))
    about = read_model_description(locate(candidate, home, reporter))
    run_id = about["training"].get("run_id")
    if run_id is None:
        raise InputError(
            f"{candidate} must be a model whose run is in MLflow, but names no run; train it with "
            "`recsparse train`"
        )
    found = registry.logged_by(str(run_id))
    logged = read_model_description(locate(found.address, home, reporter, tracking))
    if logged["sha256"][WEIGHTS] != about["sha256"][WEIGHTS]:
        raise InputError(
            f"{candidate} must be what its run {run_id} logged, but has other weights than "
            f"{found.address}; promote that, or train the folder again"
        )
    return found


def _measuring_all(config: Config) -> Config:
    """Return the configuration with all metrics and slices that the rule is about."""
    options = config.evaluation
    wanted = dict.fromkeys([*options.metrics, *config.promotion.metrics()])
    slices = dict.fromkeys([*options.slices, *config.promotion.slices])
    settings = {**options.model_dump(), "metrics": [*wanted], "slices": [*slices]}
    return config.model_copy(update={"evaluation": type(options).model_validate(settings)})


def _decided(open_case: Promotion, config: Config) -> Promotion:
    assert open_case.comparison is not None
    results = [*open_case.comparison.results.values()]
    if len(results) == 1:
        return replace(open_case, reason=f"no version of {open_case.name} had that alias")
    candidate, champion = results
    sliced = open_case.comparison.sliced
    checks = promotion_checks(candidate, champion, config.promotion, sliced)
    failed = [check for check in checks if not check.passed]
    # Of slices only those that have fallen are told, since there may be many.
    decisive = failed or [check for check in checks if check.kind != "slice"]
    reason = "; ".join(check.reason for check in decisive)
    return replace(
        open_case,
        promoted=all(check.passed for check in checks),
        reason=f"{reason}; compared with version {open_case.champion}",
        checks=tuple(checks),
    )


def _carried_out(decided: Promotion, registry: Registry, found: LoggedModel) -> Promotion:
    if decided.promoted:
        version = decided.version or registry.register(found)
        now = registry.move_alias(decided.champion, version)
        decided = replace(decided, version=version)
        if now != version:
            to = "took it away" if now is None else f"gave it to version {now}"
            reason = f"another job {to} meanwhile; promote it over that"
            decided = replace(decided, promoted=False, reason=reason)
    if decided.version is not None:
        registry.tag(decided.version, decided.tags())
    return decided
