"""Settings of models that read features of the items, and of the users."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from recsparse.config.model_section import ModelSection


def _names(value: Any) -> Any:
    # Of an alternative, pydantic says what is wrong with each.
    is_list = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
    if value != "all" and not is_list:
        raise ValueError("it must be all, or a list of names, as in ['words', 'genres']")
    return value


# All that the dataset has, or some by name.
FeatureNames = Annotated[
    Literal["all"] | tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_names)
]


class FeatureSection(ModelSection):
    """Models that read features of the items.

    Attributes:
        features: Which features of the items are read: `all`, or some by name, as in
            `["words", "genres"]`: `words` of a table's text, `reviews` of the log's, or a column
            of categories, numbers or vectors; an empty list for none.
    """

    features: FeatureNames = "all"


class UserFeatureSection(ModelSection):
    """Models that read features of the users.

    Attributes:
        user_features: Which features of the users are read: `all`, or some by name, as in
            `["age", "job"]`; an empty list for none.
    """

    user_features: FeatureNames = "all"


class OnceOfText(FeatureSection):
    """Networks that had a setting `use_text` in older builds, where text was all they could read.

    Attributes:
        features: Which features of the items are encoded and added to the item vectors.
    """

    features: FeatureNames = ()

    @model_validator(mode="before")
    @classmethod
    def _use_text_of_older_builds(cls, values: Any) -> Any:
        if not isinstance(values, dict) or type(values.get("use_text")) is not bool:
            return values
        rest = {name: value for name, value in values.items() if name != "use_text"}
        return {"features": "all" if values["use_text"] else (), **rest}
