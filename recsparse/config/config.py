"""The configuration: everything that can be set, as pydantic models with their defaults."""

import logging
import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from recsparse.config.data import FeaturesConfig, LogConfig, OrderConfig, SplitConfig, TextConfig
from recsparse.config.models import BlendConfig, ModelConfig
from recsparse.config.plugins import OWN_NAME
from recsparse.config.section import Section
from recsparse.config.training import TrainingConfig

logger = logging.getLogger(__name__)

# What to do with ids that a model has never seen: refuse them, leave their scores empty, or fall
# back on popularity.
OnUnknown = Literal["error", "null", "popularity"]

# Which items are ranked and wanted in the test: those of training, all, those that all compared
# models know; or of all items, only those that training does not know are wanted.
Catalogue = Literal["known", "all", "common", "new"]
# Which users of the test are ranked for: those with training rows, those without, or both.
IncludeUsers = Literal["known", "new", "all"]


_RANKING_METRIC = re.compile(r"^(ndcg|recall|precision|map|mrr|hit_rate)@[1-9][0-9]{0,5}$")


def _ranking_metric(name: str) -> str:
    if not _RANKING_METRIC.fullmatch(name):
        raise ValueError(
            "it must be one of ndcg, recall, precision, map, mrr and hit_rate at the length of a "
            "list, as ndcg@10"
        )
    return name


def _own_metric(name: str) -> str:
    if not OWN_NAME.fullmatch(name):
        raise ValueError("it must be a function of your own, as my_module:my_metric")
    return name


# A metric of lists of a length, as validation judges by it; a user has one value of each.
RankingMetric = Annotated[
    str,
    AfterValidator(_ranking_metric),
    Field(json_schema_extra={"pattern": _RANKING_METRIC.pattern}),
]
OwnMetricName = Annotated[
    str, AfterValidator(_own_metric), Field(json_schema_extra={"pattern": OWN_NAME.pattern})
]


class EvaluationConfig(Section):
    """What evaluation reports, and what validation chooses by.

    Attributes:
        k: List lengths.
        metrics: Functions of your own, as `module:function`, each a further metric of the test:
            from lists of the largest length and the targets, one number a user.
        select_by: The metric on the validation part by which a training stops, a search chooses
            and a blend is weighed, as in `recall@20`; models of ratings go by their RMSE.
        batch_users: Users, or lists of users, scored at a time.
        catalogue: Items of the test: `all`, where an item that a model does not know is a miss for
            it; the items of the training part alone (`known`); those that every compared model
            knows (`common`); or, ranked among all, the test items without training rows (`new`).
        include_users: Users of the test: those with training rows (`known`), those without, who
            are folded in by what they did before their test rows (`new`), or `all`.
    """

    k: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(10, 20), min_length=1)
    metrics: tuple[OwnMetricName, ...] = ()
    select_by: RankingMetric = "ndcg@10"
    batch_users: int = Field(default=1024, ge=1)
    catalogue: Catalogue = "all"
    include_users: IncludeUsers = "all"


def _readable(name: str) -> str:
    if not name.strip() or any(unicodedata.category(sign) == "Cc" for sign in name):
        raise ValueError("a name must have letters, and no control characters")
    return name


def _in_registry(name: str) -> str:
    # MLflow refuses these when the model is registered, which is after the training.
    if "/" in name or ":" in name or name == "." or name.startswith(".."):
        raise ValueError("the registry takes no name with '/' or ':', and none of dots alone")
    return name


class TrackingConfig(Section):
    """Where runs are recorded.

    Attributes:
        uri: MLflow tracking address; without one, `MLFLOW_TRACKING_URI`, else `mlflow.db`
            next to the model folder.
        experiment: Name of the MLflow experiment, at most 500 characters.
        register_as: Register the model under this name, at most 256 characters without `/` and `:`.
    """

    uri: str | None = None
    experiment: Annotated[str, Field(max_length=500), AfterValidator(_readable)] = "recsparse"
    register_as: (
        Annotated[
            str, Field(max_length=256), AfterValidator(_readable), AfterValidator(_in_registry)
        ]
        | None
    ) = None


class Config(Section):
    """Everything that can be set, with its default.

    Attributes:
        seed: Of every random choice.
        refit: Fit again, on training and validation rows, with the epochs and weights that the
            validation found.
    """

    seed: int = Field(default=0, ge=0, lt=2**63)
    refit: bool = False
    log: LogConfig = LogConfig()
    split: SplitConfig = SplitConfig()
    text: TextConfig = TextConfig()
    features: FeaturesConfig = FeaturesConfig()
    order: OrderConfig = OrderConfig()
    model: ModelConfig = BlendConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="before")
    @classmethod
    def _list_length_of_older_builds(cls, values: Any) -> Any:
        # `training.k` was the length of the validation nDCG's list.
        training = values.get("training") if isinstance(values, dict) else None
        if not isinstance(training, dict) or "k" not in training:
            return values
        evaluation, metric = values.get("evaluation", {}), f"ndcg@{training['k']}"
        if not isinstance(evaluation, dict):
            return values
        default = EvaluationConfig.model_fields["select_by"].default
        chosen = evaluation.get("select_by", metric)
        if metric != default:
            logger.warning(
                "training.k is a setting of older builds, now evaluation.select_by, which is "
                "%r here; set that, and leave training.k out",
                chosen,
            )
        return {**values, "evaluation": {**evaluation, "select_by": chosen}}
