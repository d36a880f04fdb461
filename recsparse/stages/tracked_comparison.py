"""What a comparison records in MLflow: in its own run, and in those that trained the models."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsparse.config.config import TrackingConfig
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.run_figures import (
    catalogue_tag,
    figure_prefix,
    part_figures,
    run_figures,
)
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

    def log_results(self, run: Run, results: Mapping[str, RankingResult]) -> None:
        """Record the figures of all models in the comparison's own run.

        Args:
            run: The run; the names of the figures start with those of the models, as in
                `ease/test_ndcg_at_10`.
            results: Of each model.
        """
        first = next(iter(results.values()))
        figures = part_figures(first.part)
        for name, result in results.items():
            # MLflow refuses other signs in the name of a figure.
            model = re.sub(r"[^\w.-]+", "_", name).strip("_.")
            of_model = run_figures(result, figure_prefix(result)).items()
            figures |= {f"{model}/{figure}": value for figure, value in of_model}
        run.log_metrics(figures)
        run.set_tags(catalogue_tag(first))

    def log_to_models(self, results: Mapping[str, RankingResult]) -> None:
        """Put the figures of each model into the run that trained it, and into its logged model.

        Args:
            results: Of each model.
        """
        for name, result in results.items():
            log_to_run(
                self.config,
                self.homes[name],
                self._run_id(name),
                run_figures(result, figure_prefix(result)),
                catalogue_tag(result),
                [self.tested],
            )

    def _run_id(self, name: str) -> str:
        return str(read_model_description(self.folders[name])["training"].get("run_id"))
