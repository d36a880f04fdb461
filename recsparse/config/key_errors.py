"""What is wrong with a configuration, in words: the key, what it must be, and what mends it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from recsparse.config.config import Config
from recsparse.config.model_section import known_sections
from recsparse.config.models import AnyKind
from recsparse.config.plugins import PLUGINS
from recsparse.config.section import Section
from recsparse.errors import nearest

OWN = (
    f"for a model of your own, name its module in the environment variable {PLUGINS}, or set "
    "model.kind=module:Class"
)
_MOST_ERRORS, _LONGEST_VALUE = 5, 120
# What pydantic says in terms of Python.
_MUST = {
    "string_type": 'must be text; put it in quotes, as in "2026"',
    "tuple_type": "must be a list, as in [1, 2] or ['a', 'b']",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
}
_OF_SECTIONS = ("model_type", "model_attributes_type", "dict_type", "dataclass_type")
# Of the kinds that have a key, the one to give as an example: a part of the default blend.
_EXAMPLES = ("timeline", "sparse_grid")


def explained(error: ValidationError, source: str, overridden: Sequence[str] = ()) -> str:
    """Return what is wrong with a configuration.

    Args:
        error: What pydantic found.
        source: Where the configuration is from.
        overridden: Dotted keys that were set on the command line, over those of the source.

    Returns:
        One clause an error, the first ones; each names the key's path, and what would be right.
    """
    items: list[Any] = [*error.errors()]
    # A list of wrong elements is too short for pydantic, too.
    causes = [item for item in items if not any(_is_above(item, other) for other in items)]
    clauses = []
    for item in causes[:_MOST_ERRORS]:
        place = _Place.of(item["loc"])
        is_set = any(_overlap(place.path, key) for key in overridden)
        clauses.append(_clause(item, place, "--set" if is_set else source))
    more = len(causes) - _MOST_ERRORS
    return "; ".join(clauses) + (f"; and {more} more" if more > 0 else "")


class _Place:
    """A key of the configuration.

    Attributes:
        path: Its name with all sections above it, as in `model.parts[0].regularisation`.
        sections: The sections that may stand there; several where a kind chooses.
        owner: The section that the last part of the path is a key of, where it is one.
    """

    def __init__(self) -> None:
        self.path = ""
        self.sections: tuple[type[BaseModel], ...] = (Config,)
        self.owner: type[BaseModel] | None = None

    @classmethod
    def of(cls, parts: Sequence[str | int]) -> "_Place":
        """Follow pydantic's path; it names kinds, too, which are no keys."""
        place = cls()
        for part in parts:
            place._descend(part)
        return place

    def _descend(self, part: str | int) -> None:
        if isinstance(part, int):
            self.path += f"[{part}]"
        elif len(self.sections) > 1:
            self.sections = tuple(each for each in self.sections if _kind(each) == part)
        else:
            self.path += f".{part}" if self.path else part
            self.owner = self.sections[0] if self.sections else None
            fields = self.owner.model_fields if self.owner else {}
            self.sections = tuple(_sections_of(fields[part])) if part in fields else ()


def _clause(item: Mapping[str, Any], place: _Place, source: str) -> str:
    path, what = place.path, item["type"]
    if what == "extra_forbidden":
        return f"{source} has the unknown key {path!r}; {_nearest_key(str(item['loc'][-1]), place)}"
    if what == "union_tag_invalid":
        tag, kinds = str(item["ctx"]["tag"]), [_kind(each) for each in place.sections]
        return f"{source}: {path}.kind must be known, but got {tag!r}; {nearest(tag, kinds)}; {OWN}"
    if what == "union_tag_not_found":
        known = ", ".join(_kind(each) for each in place.sections)
        return f'{source}: {path} must name its kind, as in {{kind = "ease"}}; known are {known}'
    found = _shown(item["input"])
    if what in _OF_SECTIONS:
        return f"{source}: {path} must be a section, {_example(place)}, but got {found}"
    if what == "value_error":
        # Rules over several settings name those that they find.
        value = "" if isinstance(item["input"], Mapping) else f", but got {found}"
        return f"{source}: {path or 'it'} is wrong: {item['ctx']['error']}{value}"
    if what == "missing":
        above, _, number = path.rpartition("[")
        length = f"at least {int(number.rstrip(']')) + 1} values" if above else "a value"
        return f"{source}: {above or path} must have {length}, but got {found}"
    must = _MUST.get(what)
    if must is not None:
        return f"{source}: {path} is wrong: it {must}, but got {found}"
    text = str(item["msg"]).replace("Input should", "it must").replace("Tuple should", "it must")
    text = text.replace(" after validation", "")
    return f"{source}: {path} is wrong: {text}, but got {found}"


def _nearest_key(key: str, place: _Place) -> str:
    owner = place.owner or Config
    own = list(owner.model_fields)
    models = known_sections().values()
    kinds = [_kind(each) for each in models if key in each.model_fields]
    if owner in models and kinds and nearest(key, own).startswith("known"):
        return f"{_kind(owner)} has no such key, but {_of_kinds(key, kinds)}"
    sections = [name for name, section in _top_sections() if key in section.model_fields]
    if owner not in models and sections:
        return f"it is a key of {' and of '.join(sections)}: set {sections[0]}.{key}"
    if owner is Config and kinds and nearest(key, own).startswith("known"):
        return f"it is a key of model, where {_of_kinds(key, kinds)}"
    return nearest(key, own)


def _of_kinds(key: str, kinds: Sequence[str]) -> str:
    example = next((kind for kind in _EXAMPLES if kind in kinds), kinds[0])
    return (
        f"{', '.join(kinds)} have it; name one of them by --set model.kind={example}, or as a part "
        f"of a blend by --set 'model.parts=[{{kind = \"{example}\", {key} = …}}]'"
    )


def _example(place: _Place) -> str:
    if len(place.sections) > 1:
        return 'as in {kind = "ease"}'
    if not place.sections:
        return "as in {view = 1.0}"
    return f"with keys of {', '.join(place.sections[0].model_fields)}"


def _sections_of(field: FieldInfo) -> Iterator[type[BaseModel]]:
    markers = [each for each in field.metadata if isinstance(each, AnyKind)]
    yield from _sections(markers[0] if markers else field.annotation)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the sections that a type names, those of lists and of alternatives, too."""
    marks = [annotation, *getattr(annotation, "__metadata__", ())]
    for mark in marks:
        if isinstance(mark, AnyKind):
            yield from mark.sections().values()
            return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _sections(inner)


def _top_sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield name, kind


def _kind(section: type[BaseModel]) -> str:
    return str(section.model_fields["kind"].default)


def _is_above(item: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    length = len(item["loc"])
    return len(other["loc"]) > length and other["loc"][:length] == item["loc"]


def _overlap(path: str, key: str) -> bool:
    return f"{path}.".replace("[", ".").startswith(f"{key}.") or f"{key}.".startswith(f"{path}.")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of too many digits"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
