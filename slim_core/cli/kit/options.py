"""The options of a command, made from the fields of its step's spec: names, types, help, bounds and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from slim_core.cli.kit.bench import bench
from slim_core.cli.kit.console import Device, Force, Priority, Queued
from slim_core.errors import SpecRefusedError, quoted

if TYPE_CHECKING:
    from slim_core.cli.kit.progress import ProgressWorkbench
    from slim_core.parameters import Config, Parameter

Command = Callable[..., None]
_TYPED_AS: dict[type, Any] = {tuple: str, dict: list[str]}
_FORMS: dict[type, str] = {tuple: "joined by commas", dict: "NAME=VALUE, once each"}


@dataclass(frozen=True)
class RunOptions:
    """Where a step runs, and whether it is done again."""

    queue: Queued = False
    device: Device = None
    priority: Priority = 0
    force: Force = False

    def bench(self) -> ProgressWorkbench:
        """The workbench of the command."""
        return bench(self.queue, self.device, self.priority)


class Later(TyperCommand):
    """A command that is made whole where it is used: its options are fields of specs, whose imports take a second, and
    the list of all commands needs none of them.
    """

    def __init__(self, make: Callable[[typer.Typer], None], **listed: Any) -> None:
        super().__init__(**listed)
        self.make = make

    @cached_property
    def whole(self) -> Any:  # a command of click, or of the copy of it in newer typer
        """The command with its options."""
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
        self.make(alone)
        return typer.main.get_command(alone)


def add_later(app: typer.Typer, name: str, command: Command, make: Callable[[typer.Typer], None]) -> None:
    """Register a command that ``make`` adds to an app of its own once somebody uses it."""

    def listed() -> None:
        """Stands in the list of all commands."""

    app.command(name, cls=partial(Later, make), help=inspect.getdoc(command))(listed)  # type: ignore[arg-type]


def add_step(app: typer.Typer, kind: str, command: Command, *, example: str) -> None:
    """Register the command of a step: the settings are the fields of its spec, and of the configs that it holds."""

    def make(alone: typer.Typer) -> None:
        from slim_core.steps.specs import STEPS

        spec = STEPS[kind].spec
        held = {name: on_command_line(config) for name, config in spec.holds.items()}
        asked, has_device = on_command_line(spec), spec.queue == "gpu"
        add_command(alone, kind, command, f"Example: {example}", asked, spec.in_words, held, has_device=has_device)

    add_later(app, kind, command, make)


def add_command(
    app: typer.Typer,
    name: str,
    command: Command,
    epilog: str,
    asked: Mapping[str, Parameter],
    in_words: Mapping[str, str] = MappingProxyType({}),
    held: Mapping[str, Mapping[str, Parameter]] = MappingProxyType({}),
    *,
    has_device: bool = True,
) -> None:
    """Register ``command(settings, ...)``: its own options, one for each setting, and where it takes ``run_options``
    those of ``RunOptions``. ``settings`` holds what was given or has a default of its own.

    Args:
        asked: the settings.
        in_words: parameter -> its default, where that depends on others; it is in the settings only where it is given.
        held: setting that is itself a dict -> what is asked for of it.
        has_device: whether a device may be named.
    """
    own = list(_parameters_of(command))
    takes_run_options = any(each.name == "run_options" for each in own)
    run_options = [each for each in _parameters_of(RunOptions) if has_device or each.name != "device"]

    def run(**given: Any) -> None:
        settings: dict[str, Any] = _given(asked, given)
        for within, parameters_of in held.items():
            if chosen := settings.get(within, {}) | _given(parameters_of, given):
                settings[within] = chosen
        if takes_run_options:
            given["run_options"] = RunOptions(**{each.name: given.pop(each.name) for each in run_options})
        command(settings=settings, **given)

    options = [each for each in own if each.name not in ("run_options", "settings")]
    options += [_option(each, in_words.get(each.name)) for each in asked.values()]
    options += [_option(each, _default_in_words(each)) for within in held.values() for each in within.values()]
    options += run_options if takes_run_options else []
    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    app.command(name, epilog=epilog)(run)


def on_command_line(config: type[Config]) -> dict[str, Parameter]:
    """Name -> parameter, for those that have an option."""
    from slim_core.parameters import parameters

    return {each.name: each for each in parameters(config).values() if each.display.on_command_line}


def _given(asked: Mapping[str, Parameter], given: dict[str, Any]) -> dict[str, Any]:
    """Takes the parameters out of what was given: name -> value of those that have one."""
    values = {name: _parsed(each, given.pop(name)) for name, each in asked.items()}
    return {name: value for name, value in values.items() if value is not None}


def _default_in_words(parameter: Parameter) -> str:
    """Of a setting that stays out of its dict where it is not given."""
    return parameter.display.default or str(_typed(parameter.default))


def _parameters_of(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    yield from inspect.signature(function, eval_str=True).parameters.values()


def _option(parameter: Parameter, words: str | None) -> inspect.Parameter:
    """``words``: the default where it is none of the option itself, for the help."""
    kind = _TYPED_AS.get(parameter.type, parameter.type)
    option = typer.Option(*_names(parameter), help=_help(parameter), show_default=words or True)
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None if words or parameter.type is dict else _typed(parameter.default),
        annotation=Annotated[kind | None, option],
    )


def _names(parameter: Parameter) -> list[str]:
    flag = parameter.flag
    names = [f"{flag}/{flag.replace('--', '--no-', 1)}" if parameter.type is bool else flag]
    return [*names, parameter.display.short] if parameter.display.short else names


def _help(parameter: Parameter) -> str:
    """The meaning, and the values that are taken."""
    taken = filter(None, (", ".join(parameter.choices), parameter.bounds, _FORMS.get(parameter.type)))
    values = "; ".join(taken)
    return f"{parameter.help.removesuffix('.')} ({values})." if values else parameter.help


def _typed(default: Any) -> Any:
    """A default as it would be typed."""
    return ",".join(map(str, default)) if isinstance(default, tuple) else default


def _parsed(parameter: Parameter, given: Any) -> Any:
    """The field's value: of a list its parts, of repeated NAME=VALUE a dict of texts."""
    if parameter.type is dict:
        return pairs(given, parameter.flag) if given else None
    if parameter.type is tuple and given is not None:
        return tuple(part for part in given.split(",") if part or given)
    return given


def pairs(given: list[str] | None, flag: str = "--option") -> dict[str, str]:
    """["label=species"] as a dict.

    Raises:
        SpecRefusedError: a part has no "=", or two parts give one key different values.
    """
    found: dict[str, str] = {}
    for part in given or ():
        key, sign, value = part.partition("=")
        if not sign:
            raise SpecRefusedError(f"{flag} {quoted(part)} has no '=': write KEY=VALUE, such as label=species.")
        if found.setdefault(key, value) != value:
            raise SpecRefusedError(f"{flag} {key} is both {quoted(found[key])} and {quoted(value)}: leave one out.")
    return found


def numbers(text: str) -> tuple[int, ...]:
    """ "0,1,2" as integers.

    Raises:
        SpecRefusedError: it is something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SpecRefusedError(f"{quoted(text)} is not a list of whole numbers: write them as 0,1,2.") from error
