"""One cell of a backtest: a model fitted on a split, and ranked on its test part."""

from dataclasses import dataclass, replace

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.fit_rows import FitRows, rows_to_fit
from recsparse.datasets.parts import EvaluationPart
from recsparse.reporting.progress import Reporter
from recsparse.stages.backtesting.cells import Cell
from recsparse.stages.compared_part import part_to_compare
from recsparse.stages.evaluate import rank_part
from recsparse.stages.fit_on_dataset import fit_context
from recsparse.stages.fitted import fitted_on
from recsparse.stages.list_context import list_context, require_context
from recsparse.stages.needs import require_needs
from recsparse.stages.rank_part import part_to_rank
from recsparse.stages.user_features import features_in


@dataclass(frozen=True)
class SplitData:
    """A dataset as all models of a split are fitted on it.

    Attributes:
        data: The dataset.
        rows: Its training rows, laid out.
        validation: Its validation part.
    """

    data: Dataset
    rows: FitRows
    validation: EvaluationPart

    @classmethod
    def of(cls, data: Dataset) -> "SplitData":
        """Lay a dataset out.

        Args:
            data: The dataset.

        Returns:
            What models are fitted on.

        Raises:
            InputError: If the validation part has no user and item that training knows.
        """
        return cls(data, rows_to_fit(data), part_to_rank(data, "validation"))


def fitted_cell(split: SplitData, config: Config, reporter: Reporter) -> Cell:
    """Fit a model and rank the test part of its split.

    Args:
        split: What it is fitted on.
        config: The model, how to train and evaluate it, and its seed.
        reporter: Shows the progress.

    Returns:
        Its figures.

    Raises:
        InputError: If the dataset lacks what the model needs, or nothing of the test is left.
    """
    data = split.data
    require_needs(config.model, data)
    require_context(data, config.evaluation.metrics)
    context = replace(fit_context(data, split.rows, split.validation, config), reporter=reporter)
    fitted = fitted_on(data, split.rows, split.validation, config, context)
    trained = fitted.trained
    compared = part_to_compare(data, "test", config.evaluation, [trained.items])
    lists = compared.part.by_catalogue(trained.items)
    with reporter.task("ranking the test part", len(lists)) as advance:
        ranked = rank_part(
            trained.model,
            lists,
            config,
            advance,
            compared.items.chosen(trained.items),
            features_in(trained, compared.part.user_ids),
            trained.popularity(),
            list_context(data, trained.items, config.evaluation.metrics),
        )
    return Cell(compared.result(ranked, trained.items), fitted.seconds)
