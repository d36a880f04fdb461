"""The configuration of MLflow's evaluator `recsparse`: how a frame of candidates is read."""

from pydantic import Field, field_validator

from recsparse.config.metric_names import ReportedMetric, is_of_all_lists
from recsparse.config.section import Section


class RankerConfig(Section):
    """How scored candidates are read and what is measured of them.

    Attributes:
        user: Column of the users; the rows of each are a list to rank.
        item: Column of the items.
        score: Column of the scores, where MLflow is told of no other; of a model's answer, too.
        target: Column of what was wanted, where MLflow is told of no other.
        metrics: What is measured, as `evaluation.metrics` names it; what needs more than lists and
            targets cannot be.
        slices: Columns that say of each user, or of each item, what group they are in.
        prefix: What the names of all figures begin with.
    """

    user: str = "user_id"
    item: str = "item_id"
    score: str = "score"
    target: str = "target"
    metrics: tuple[ReportedMetric, ...] = Field(default=("all@10", "all@20"), min_length=1)
    slices: tuple[str, ...] = ()
    prefix: str = ""

    @field_validator("metrics")
    @classmethod
    def _has_one_of_each_user(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        if all(map(is_of_all_lists, metrics)):
            raise ValueError(
                "metrics must have one of each user, such as ndcg@10, but has "
                f"{' and '.join(metrics)} alone"
            )
        return metrics
