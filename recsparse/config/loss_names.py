"""Names of losses: those of a model, and functions of users' own."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue

from recsparse.config.plugins import OWN_NAME
from recsparse.errors import nearest


def _one_of(*names: str) -> Any:
    def checked(name: str) -> str:
        if name not in names and not OWN_NAME.fullmatch(name):
            raise ValueError(
                f"it must be {' or '.join(names)}, or module:function of your own; "
                f"{nearest(name, names)}"
            )
        return name

    return AfterValidator(checked)


def _schema_of(*names: str) -> Any:
    own: dict[str, JsonValue] = {"type": "string", "pattern": OWN_NAME.pattern}
    return Field(json_schema_extra={"anyOf": [{"enum": [*names]}, own]})


PairwiseLoss = Annotated[str, _one_of("bpr", "softmax"), _schema_of("bpr", "softmax")]
SoftmaxLoss = Annotated[str, _one_of("softmax"), _schema_of("softmax")]
