"""ModelSection: the settings of one kind of model, and the table of all kinds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from recsparse.config.search_space import SearchSpace
from recsparse.config.section import Section
from recsparse.errors import InputError

_SECTIONS: dict[str, "type[ModelSection]"] = {}


class ModelSection(Section):
    """The settings of a kind of model, with their defaults.

    A section that names its implementation is known by its kind from then on. Users' own sections
    leave that to `recsparse.models.registry.register`.

    Attributes:
        kind: What the configuration calls the model; each section narrows it to one word.
        implementation: The class of the model, as `module:Class`; imported where it is used.
        search_space: Values of which a search tries every combination where the caller names none.
            Ours suit logs of some 100,000 rows.
        search_ranges: Ranges and values from which a search draws where the caller names none; the
            values of `search_space` where it is empty.
    """

    implementation: ClassVar[str] = ""
    search_space: ClassVar[SearchSpace] = {}
    search_ranges: ClassVar[SearchSpace] = {}

    if TYPE_CHECKING:
        # Each section declares it, in its place among the keys of files.
        kind: str

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Add a section that names its implementation to the table."""
        super().__pydantic_init_subclass__(**kwargs)
        if "implementation" in vars(cls):
            add_section(cls)


def add_section(section: type[ModelSection]) -> None:
    """Make a kind of model known; a class of the same name takes the place of an older one.

    Args:
        section: The settings of the kind, with its implementation.

    Raises:
        InputError: If the kind is that of another model.
    """
    kind = kind_of(section)
    known = _SECTIONS.get(kind)
    if known is not None and known.implementation != section.implementation:
        raise InputError(
            f"a kind must be of one model, but {kind!r} is that of {known.implementation} and of "
            f"{section.implementation}; rename the kind of one of them"
        )
    _SECTIONS[kind] = section


def known_sections() -> Mapping[str, type[ModelSection]]:
    """Return the sections of all models that this process knows, by their kinds."""
    return dict(_SECTIONS)


def kind_of(section: type[ModelSection]) -> str:
    """Return the kind of a section.

    Args:
        section: The settings of one kind.

    Returns:
        The default of its key `kind`.

    Raises:
        InputError: If it has none.

    Example:
        >>> from typing import Literal
        >>> class MeanConfig(ModelSection):
        ...     kind: Literal["mean"] = "mean"
        >>> kind_of(MeanConfig)
        'mean'
    """
    field = section.model_fields.get("kind")
    kind = None if field is None else field.default
    if not isinstance(kind, str) or not kind.isidentifier():
        raise InputError(
            f"{section.__name__} must have a kind of letters, digits and underscores, as in "
            f'`kind: Literal["mean"] = "mean"`, but has {kind!r}'
        )
    return kind
