"""Settings that describe themselves: each field of a config says its label, meaning, bounds and choices, once.

The command line, the forms, "copy as command" and the run's page are made from ``parameters`` of a config's class.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from slim_core import removed
from slim_core.errors import SpecRefusedError, instead_of, quoted

# What is said of a list, a text or a mapping, and of an element of one, by pydantic's name of its error.
_BY_ERROR = {
    "string_type": "give a text",
    "dict_type": "give names with their values",
    **dict.fromkeys(("tuple_type", "list_type"), "give a list"),
    "too_short": "give at least {min_length}",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "give whole numbers"),
    **dict.fromkeys(("float_parsing", "float_type"), "give numbers"),
    "finite_number": "give finite numbers",
    "greater_than": "give numbers above {gt}",
    "greater_than_equal": "give numbers from {ge}",
    "less_than": "give numbers below {lt}",
    "less_than_equal": "give numbers up to {le}",
}

Seed = Annotated[int, Field(ge=0, lt=2**32, title="Seed", description="Seed of everything random.")]


@dataclass(frozen=True)
class Display:
    """What a form or the command line needs beyond a field's type, title, description and bounds (in Annotated)."""

    labels: Mapping[str, str] | Callable[[], Mapping[str, str]] = field(default_factory=dict)  # choice -> its label
    step: float | None = None  # of a number's input on a form
    place: Literal["form", "more", "nowhere"] = "form"  # more: among the settings that are folded away
    on_command_line: bool = True
    short: str | None = None  # a second name of the option, such as "-o"
    default: str | None = None  # the default in words, where it depends on other fields
    called: str | None = None  # what a refusal calls it, where not by its name
    advice: str | None = None  # what a refusal advises, where not by its type and bounds
    only: Mapping[str, Container[Any]] = field(default_factory=dict)  # other field -> its values with which this counts
    slider: bool = False  # of a number between two bounds: chosen on a line
    run: str | None = None  # of a text that names a run: of this kind; a form offers the finished ones
    percent: bool = False  # of a share: a form asks for it in percent


class Config(BaseModel):
    """Settings that are checked when they are built: frozen, plain JSON, no unknown fields."""

    # JSON has no infinity: one would come back as null, and the step would take its default instead
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class PublicConfig(Config):
    """A config that callers build in Python: what it refuses is one sentence that names the value and what is legal."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_in_a_sentence(cls, given: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return build(given)
        except ValidationError as error:
            raise SpecRefusedError(_sentence(cls, error)) from error


def one_of(names: Iterable[str], given: str, gone: Mapping[str, str] | None = None) -> str:
    """The name that was given, if it is one of a registry's.

    Raises:
        ValueError: it is none of them; of one that is ``gone``, what serves instead (slim_core.removed).
    """
    known = list(names)
    if gone and given in gone:
        raise ValueError(f"it is gone. {gone[given]}")
    if given not in known:
        raise ValueError(f"choose one of {', '.join(known)}")
    return given


class OptionRefusedError(ValueError):
    """One of the options that a field holds is refused; the message is a sentence of its own."""


def checked_options(config: type[Config], given: Mapping[str, Any], of: str, field: str) -> dict[str, Any]:
    """Plain values of every option of a config.

    Args:
        config: whose fields the options are.
        given: option -> value; what is missing gets its default.
        of: whose options they are, as a sentence begins: "The objective jtt".
        field: of the spec, that holds them.

    Raises:
        OptionRefusedError: an option is unknown, missing or out of its range; the first such option is named.
    """
    try:
        return config.model_validate(dict(given)).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(config.model_fields)
            advice = f"take {known}" if known else f"leave {field} empty"
            raise OptionRefusedError(f"{of} has no option {option!r}: {advice}.") from error
        if first["type"] == "missing" or first["input"] is None:
            about = (config.model_fields[str(first["loc"][0])].description or "").rstrip(".")
            raise OptionRefusedError(f"{of} needs the option {option} ({about}): give it in {field}.") from error
        raise OptionRefusedError(
            f"{of} refuses {option} = {first['input']!r}: {what_to_give(config, first)}."
        ) from error


def options_of_the_named(
    registry: Mapping[str, Any], field: str, given: dict[str, Any], about: ValidationInfo
) -> dict[str, Any]:
    """Every option of what another field names in a registry, checked by its ``Options``; for a validator.

    ``field``: the one that names it, such as "objective"; its options are in "objective_options".
    """
    name = about.data.get(field)
    if name is None:  # refused already
        return given
    return checked_options(registry[name].Options, given, f"The {field} {name}", f"{field}_options")


@dataclass(frozen=True)
class Parameter:
    """One field of a config, as it is asked for."""

    name: str
    label: str
    help: str
    type: type  # bool, int, float, str, tuple or dict
    default: Any  # None where it is required
    required: bool
    optional: bool  # None is a value
    choices: Mapping[str, str]  # value -> label; of a tuple: those of its elements
    low: float | None
    high: float | None
    bounds: str  # both in words; "" without any
    display: Display

    def counts(self, chosen: Mapping[str, Any]) -> bool:
        """Whether it has an effect beside these values of other fields."""
        return all(chosen.get(name) in values for name, values in self.display.only.items())

    @property
    def flag(self) -> str:
        """The option of the command line; that of a dict is given once for each of its keys."""
        name = self.name.removesuffix("s") if self.type is dict else self.name
        return "--" + name.replace("_", "-")


def parameters(config: type[BaseModel]) -> dict[str, Parameter]:
    """Name -> parameter, in the order of the fields."""
    return {name: _parameter(name, about) for name, about in config.model_fields.items()}


def _parameter(name: str, about: FieldInfo) -> Parameter:
    display, (kind, optional) = _display(about), _without_none(about.annotation)
    low, high = _bounds(about, whole=kind is int)
    plain = get_origin(kind) or kind
    return Parameter(
        name=name,
        label=about.title or name.replace("_", " ").capitalize(),
        help=about.description or "",
        type=str if plain is Literal else plain,
        default=None if about.is_required() else about.get_default(call_default_factory=True),
        required=about.is_required(),
        optional=optional,
        choices=_choices(kind, display),
        low=low,
        high=high,
        bounds=_in_words(about),
        display=display,
    )


def what_to_give(config: type[BaseModel], refused: ErrorDetails) -> str:
    """What a field takes in place of a value that was refused; where it has a check of its own, what that says."""
    if gone := _gone(refused):
        return gone
    if refused["type"] != "value_error" and refused["loc"]:
        field = parameters(config).get(str(refused["loc"][0]))
        by_error = _BY_ERROR.get(refused["type"], "").format(**refused.get("ctx", {}))
        if said := (field and _legal(field)) or by_error:
            return said
    return refused["msg"].removeprefix("Value error, ").rstrip(".")


def _gone(refused: ErrorDetails) -> str | None:
    """What serves in place of a value that earlier versions took."""
    served = removed.VALUES.get((".".join(map(str, refused["loc"])), str(refused["input"])))
    return served and f"it is gone. {served.rstrip('.')}"


def _sentence(config: type[BaseModel], error: ValidationError) -> str:
    first, known = error.errors()[0], parameters(config)
    reason = what_to_give(config, first)
    if first["type"] in ("tuple_type", "list_type") and isinstance(first["input"], str | int):
        reason = f"give a list, such as [{first['input']}]"
    if not first["loc"]:
        return f"{reason}."
    name = str(first["loc"][0])
    if name not in known:
        return f"There is no setting {quoted(name)}: {instead_of(name, known)}."
    if first["type"] == "missing":
        return f"The setting {name!r} is missing: give it."
    reason = _gone(first) or _legal(known[name]) or reason
    return f"{known[name].display.called or name} is {quoted(first['input'])}: {reason}."


def _legal(parameter: Parameter) -> str:
    """What to give instead."""
    if parameter.display.advice or parameter.type is bool:
        return parameter.display.advice or "give true or false"
    if parameter.choices:
        return f"choose one of {', '.join(parameter.choices)}"
    if parameter.type not in (int, float):
        return ""
    number = "a whole number" if parameter.type is int else "a number"
    if parameter.bounds.endswith("or more"):
        return f"give at least {parameter.bounds.removesuffix(' or more')}, {number}"
    bounds = parameter.bounds
    if bounds.startswith("above"):
        return f"give {number} {bounds.replace(' to below ', ' and below ').replace(' to ', ' and at most ')}"
    return f"give {number} {'from ' if ' to ' in bounds else ''}{bounds}".rstrip()


def _display(about: FieldInfo) -> Display:
    return next((each for each in about.metadata if isinstance(each, Display)), Display())


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The type beside None, and whether there was a None."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    others = [each for each in get_args(annotation) if each is not NoneType]
    return others[0], len(others) < len(get_args(annotation))


def _choices(kind: Any, display: Display) -> dict[str, str]:
    labels = display.labels() if callable(display.labels) else display.labels
    element = get_args(kind)[0] if get_origin(kind) is tuple else kind
    if get_origin(element) is Literal:
        return {value: labels.get(value, value) for value in get_args(element)}
    return dict(labels)


def _bounds(about: FieldInfo, *, whole: bool) -> tuple[float | None, float | None]:
    """Lowest and highest value; of an open end of the real numbers, the end itself."""
    low = high = None
    for each in about.metadata:
        if isinstance(each, Ge | Gt):
            low = each.ge if isinstance(each, Ge) else each.gt + whole  # type: ignore[operator]
        elif isinstance(each, Le | Lt):
            high = each.le if isinstance(each, Le) else each.lt - whole  # type: ignore[operator]
    return low, high  # type: ignore[return-value]


def _in_words(about: FieldInfo) -> str:
    found = {type(each): each for each in about.metadata}
    low = f"{found[Ge].ge}" if Ge in found else f"above {found[Gt].gt}" if Gt in found else ""
    high = f"{found[Le].le}" if Le in found else f"below {found[Lt].lt}" if Lt in found else ""
    if low and high:
        return f"{low} to {high}"
    return f"at most {high}" if high else low if Gt in found else f"{low} or more" if low else ""
