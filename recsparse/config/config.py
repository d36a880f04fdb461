"""The configuration: everything that can be set, as pydantic models with their defaults."""

import logging
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from recsparse.config.backtest import BacktestConfig
from recsparse.config.choices import LogHistory
from recsparse.config.data import FeaturesConfig, LogConfig, OrderConfig, SplitConfig, TextConfig
from recsparse.config.evaluation import EvaluationConfig
from recsparse.config.models import BlendConfig, ModelConfig
from recsparse.config.new_items import NewItemsConfig
from recsparse.config.promotion import PromotionConfig
from recsparse.config.section import Section
from recsparse.config.training import TrainingConfig
from recsparse.config.tuning import TuningConfig
from recsparse.config.units import WholeNumber

logger = logging.getLogger(__name__)


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
        log_history: What a logged model has of its users' histories: a `copy`, where they lie
            (`refer`), nothing (`none`), or a copy of up to 256 MiB and else where they lie
            (`auto`).
    """

    uri: str | None = None
    experiment: Annotated[str, Field(max_length=500), AfterValidator(_readable)] = "recsparse"
    register_as: (
        Annotated[
            str, Field(max_length=256), AfterValidator(_readable), AfterValidator(_in_registry)
        ]
        | None
    ) = None
    log_history: LogHistory = "auto"


class Config(Section):
    """Everything that can be set, with its default.

    Attributes:
        seed: Of every random choice.
        refit: Fit again, on training and validation rows, with the epochs and weights that the
            validation found.
    """

    seed: WholeNumber = Field(default=0, ge=0, lt=2**63)
    refit: bool = False
    log: LogConfig = LogConfig()
    split: SplitConfig = SplitConfig()
    text: TextConfig = TextConfig()
    features: FeaturesConfig = FeaturesConfig()
    order: OrderConfig = OrderConfig()
    model: ModelConfig = BlendConfig()
    training: TrainingConfig = TrainingConfig()
    tuning: TuningConfig = TuningConfig()
    new_items: NewItemsConfig = NewItemsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    backtest: BacktestConfig = BacktestConfig()
    promotion: PromotionConfig = PromotionConfig()
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
