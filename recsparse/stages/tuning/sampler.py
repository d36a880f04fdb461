"""What is drawn for the next trial: by an inner sampler, and nothing twice."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recsparse.config.search_space import Range
from recsparse.stages.tuning.trials import Plan

# Of larger ones, trials that repeat are fitted again.
_MOST_LISTED = 10_000


class DrawnOnce:
    """The methods of a sampler of Optuna's that draws by another one, seeded anew for each trial.

    Args:
        plan: How to draw.
        distributions: Optuna's, of each setting.

    Attributes:
        number: Of the trial that is drawn next.
    """

    def __init__(self, plan: Plan, distributions: Mapping[str, Any]) -> None:
        self.plan, self.number = plan, 0
        self.distributions = dict(distributions)
        size = plan.size()
        is_listed = size is not None and size <= _MOST_LISTED
        self._all = plan.combinations() if is_listed or plan.drawing == "grid" else None

    @abstractmethod
    def inner(self, seed: int) -> Any:
        """Return the sampler that draws.

        Args:
            seed: Of the one trial that it draws.

        Returns:
            A sampler of Optuna's.
        """

    @abstractmethod
    def counts(self, trial: Any) -> bool:
        """Say whether a trial was tried, or is being tried."""

    def is_exhausted(self, tried: Sequence[Any]) -> bool:
        """Say whether nothing is left to draw."""
        return self._all is not None and not self._untried(tried)

    def settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return values from what Optuna calls them."""
        space = self.plan.space
        return {
            key: params[key] if isinstance(tried, Range) else by_label(tried)[params[key]]
            for key, tried in space.items()
            if key in params
        }

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """Return all that is drawn."""
        return self.distributions

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """Draw, and something else where that was tried."""
        drawn = {} if self.plan.drawing == "grid" else self._drawn(study, trial)
        if drawn and self.number == 0:
            drawn |= {key: label(value) for key, value in self.plan.start.items()}
        if self._all is None:
            return drawn
        tried = [each for each in study.get_trials(deepcopy=False) if self.counts(each)]
        untried = self._untried([each for each in tried if each.number != trial.number])
        if not untried or (drawn and self.settings(drawn) in untried):
            return drawn
        first = 0
        if self.plan.drawing != "grid":
            first = int(np.random.default_rng(self._seeds()).integers(len(untried)))
        return {key: label(value) for key, value in untried[first].items()}

    def sample_independent(
        self, study: Any, trial: Any, param_name: str, param_distribution: Any
    ) -> Any:
        """Never asked: all is drawn together."""
        return self._seeded().sample_independent(study, trial, param_name, param_distribution)

    def _drawn(self, study: Any, trial: Any) -> dict[str, Any]:
        inner = self._seeded()
        space = inner.infer_relative_search_space(study, trial)
        drawn = inner.sample_relative(study, trial, space)
        return {
            name: drawn[name]
            if name in drawn
            else inner.sample_independent(study, trial, name, distribution)
            for name, distribution in self.distributions.items()
        }

    def _seeded(self) -> Any:
        return self.inner(int(np.random.SeedSequence(self._seeds()).generate_state(1)[0]))

    def _seeds(self) -> list[int]:
        return [self.plan.seed, self.number]

    def _untried(self, tried: Sequence[Any]) -> list[dict[str, Any]]:
        known = {_text(self.settings(trial.params)) for trial in tried}
        return [each for each in self._all or () if _text(each) not in known]


def by_label(values: Sequence[Any]) -> dict[Any, Any]:
    """Return values by what Optuna calls them.

    Args:
        values: What is tried of a setting.

    Returns:
        Each value by itself, or by its JSON.

    Example:
        >>> by_label([1, (0.5, 0.9)])
        {1: 1, '[0.5, 0.9]': (0.5, 0.9)}
    """
    return {label(value): value for value in values}


def label(value: Any) -> Any:
    """Return what Optuna calls a value.

    Args:
        value: Any value of a setting.

    Returns:
        The value, or its JSON where it is a list or a table.
    """
    # Optuna takes no lists and tables as values.
    is_plain = value is None or isinstance(value, bool | int | float | str)
    return value if is_plain else json.dumps(value, default=str)


def _text(settings: Mapping[str, Any]) -> str:
    return repr([(key, label(value)) for key, value in sorted(settings.items())])
