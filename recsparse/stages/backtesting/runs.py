"""What of a backtest is recorded in MLflow: one run, and in it one a model, a step a split."""

from collections.abc import Mapping
from pathlib import Path

from recsparse.config.config import Config
from recsparse.files.addresses import folder_of
from recsparse.files.filesystems import fetched
from recsparse.stages.backtesting.report import PAGE, PICTURE
from recsparse.stages.backtesting.result import BacktestResult, of_metric
from recsparse.tracking.open_run import start_run
from recsparse.tracking.run import Run
from recsparse.tracking.run_name import run_name

_PARENT = "mlflow.parentRunId"


def record_backtest(
    run: Run,
    result: BacktestResult,
    models: Mapping[str, Config],
    config: Config,
    out: str | Path,
) -> None:
    """Record figures: those over all splits, and in a child run a model, those of each split.

    MLflow draws the latter as lines over time, where the child runs are chosen for its charts.

    Args:
        run: The run of the backtest.
        result: The figures.
        models: The configuration of each model.
        config: The backtest, and where to record it.
        out: The folder of the backtest, complete.
    """
    run.log_params({"seed": config.seed, "backtest": config.backtest.model_dump(mode="json")})
    means = of_metric(result.table, result.metric)["mean"]
    run.log_metrics({f"{model}_{result.metric}": float(means[model]) for model in models})
    for name in (PAGE, PICTURE, "table.parquet", "differences.parquet", "windows.parquet"):
        run.log_file(fetched(out) / name)
    run.log_table(result.windows, "windows.json")
    for model, own in models.items():
        tags = {_PARENT: run.run_id, "model": model}
        with start_run(
            config.tracking, folder_of(out), run_name(f"backtest-{model}"), tags
        ) as child:
            child.log_params({"model": own.model.model_dump(mode="json", exclude_none=True)})
            for split in result.splits:
                reached = result.results[model][split.name]
                seconds = sum(cell.seconds for cell in result.cells[model][split.name])
                figures = {**reached.mean(), **reached.coverage}
                child.log_metrics(
                    {f"test_{name}": value for name, value in figures.items()}
                    | {"fit_seconds": seconds, "test_users": reached.num_users},
                    step=split.number,
                )
