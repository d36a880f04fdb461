"""What a comparison records in MLflow: in its own run, and in those that trained the models."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from recsparse.config.config import TrackingConfig
from recsparse.evaluation.comparison import Comparison
from recsparse.evaluation.pictures import pictures
from recsparse.evaluation.run_figures import (
    catalogue_tag,
    figure_prefix,
    part_figures,
    run_figures,
)
from recsparse.evaluation.slices import slice_figures
from recsparse.scoring.model_folder import read_model_description
from recsparse.tracking.data_input import DataInput
from recsparse.tracking.open_run import log_to_run
from recsparse.tracking.run import Run
from recsparse.tracking.store import tracking_uri


@dataclass(frozen=True)
class TrackedComparison:
    """What is compared, and where it is recorded.

    Attributes:
        config: The tracking section.
        folders: The models' folders by their names.
        homes: The folders of the stores that their trainings were recorded in, where no address is
            set.
        tested: The test part.
    """

    config: TrackingConfig
    folders: Mapping[str, Path]
    homes: Mapping[str, Path]
    tested: DataInput

    def log_inputs(self, run: Run) -> None:
        """Record what is compared, and on what.

        Args:
            run: The comparison's own run. Models whose trainings are in its store are its inputs.
        """
        here = [
            self._run_id(name)
            for name, home in self.homes.items()
            if tracking_uri(self.config, home) == run.uri
        ]
        run.log_inputs([self.tested], here)

    def log_results(self, run: Run, compared: Comparison) -> None:
        """Record what came out in the comparison's own run, with its pictures and tables.

        Args:
            run: The run; the names of the figures start with those of the models, as in
                `ease/test_ndcg_at_10`.
            compared: The models side by side.
        """
        first = compared.results[compared.reference]
        figures = part_figures(first.part)
        for name in compared.results:
            of_model = _figures_of(compared, name).items()
            figures |= {f"{_sign(name)}/{figure}": value for figure, value in of_model}
        run.log_metrics(figures)
        run.set_tags(catalogue_tag(first))
        for name, picture in _pictures(compared).items():
            run.log_figure(picture, name)
        for name, table in _tables(compared).items():
            if len(table):
                run.log_table(table, name)

    def log_to_models(self, compared: Comparison) -> None:
        """Put the figures of each model into the run that trained it, and into its logged model.

        Args:
            compared: The models side by side.
        """
        for name, result in compared.results.items():
            log_to_run(
                self.config,
                self.homes[name],
                self._run_id(name),
                _figures_of(compared, name),
                catalogue_tag(result),
                [self.tested],
            )

    def _run_id(self, name: str) -> str:
        return str(read_model_description(self.folders[name])["training"].get("run_id"))


def _figures_of(compared: Comparison, name: str) -> dict[str, float]:
    slices = compared.slices[compared.slices["model"] == name]
    of_slices = slice_figures(slices, compared.metric).items()
    result = compared.results[name]
    prefix = figure_prefix(result)
    return run_figures(result, prefix) | {f"{prefix}{figure}": value for figure, value in of_slices}


def _pictures(compared: Comparison) -> dict[str, Figure]:
    # The first one is among the files of the report.
    (_, *drawn) = pictures(compared).items()
    return {f"{_sign(heading).lower()}.png": picture for heading, picture in drawn}


def _tables(compared: Comparison) -> dict[str, pd.DataFrame]:
    tested = {name: each.reset_index() for name, each in compared.significance.items()}
    significance = pd.concat(tested, names=["metric"]).reset_index(level=0) if tested else None
    rows = [
        {
            "user": example.user,
            "known": ", ".join(example.known),
            "taken in the test part": ", ".join(example.wanted),
            "model": model,
            "place": place,
            "item": item,
            "taken": is_hit,
        }
        for example in compared.examples
        for model, listed in example.lists.items()
        for place, (item, is_hit) in enumerate(listed, start=1)
    ]
    return {
        "test_slices.json": compared.slices,
        "significance.json": pd.DataFrame() if significance is None else significance,
        "examples.json": pd.DataFrame(rows),
    }


def _sign(name: str) -> str:
    # MLflow refuses other signs in the name of a figure.
    return re.sub(r"[^\w.-]+", "_", name).strip("_.")
