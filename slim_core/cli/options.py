"""The options of a command, made from the fields of its step's spec: names, types, help, bounds and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slim_core.cli.bench import bench
from slim_core.cli.console import Device, Force, Priority, Queued
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Parameter, parameters
from slim_core.steps.registry import STEPS
from slim_core.steps.specs import Spec

if TYPE_CHECKING:
    from slim_core.cli.progress import ShownWorkbench

Command = Callable[..., None]
_TYPED_AS: dict[type, Any] = {tuple: str, dict: list[str]}
_FORMS: dict[type, str] = {tuple: "joined by commas", dict: "NAME=VALUE, once each"}


@dataclass(frozen=True)
class How:
    """Where a step runs, and whether it is done again."""

    queue: Queued = False
    device: Device = None
    priority: Priority = 0
    force: Force = False

    def bench(self) -> ShownWorkbench:
        """The workbench of the command."""
        return bench(self.queue, self.device, self.priority)


def add_step(app: typer.Typer, kind: str, command: Command, *, example: str) -> None:
    """Register ``command(how, settings, ...)`` with its own options, one for each setting of the step, and ``How``.

    ``settings`` holds the fields of the spec that were given or have a default of their own.
    """
    app.command(kind, epilog=f"Example: {example}")(_with_options(command, STEPS[kind].spec))


def _with_options(command: Command, spec: type[Spec]) -> Command:
    own = [each for each in _parameters_of(command) if each.name not in ("how", "settings")]
    asked = {each.name: each for each in parameters(spec).values() if each.shown.on_command_line}
    how = [each for each in _parameters_of(How) if spec.queue == "gpu" or each.name != "device"]

    def run(**given: Any) -> None:
        settings = {name: _parsed(each, given.pop(name)) for name, each in asked.items()}
        chosen = {each.name: given.pop(each.name) for each in how}
        command(How(**chosen), {name: value for name, value in settings.items() if value is not None}, **given)

    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what typer reads a command's options from
        [*own, *(_option(each, spec) for each in asked.values()), *how]
    )
    return run


def _parameters_of(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    yield from inspect.signature(function, eval_str=True).parameters.values()


def _option(parameter: Parameter, spec: type[Spec]) -> inspect.Parameter:
    kind = _TYPED_AS.get(parameter.type, parameter.type)
    words = spec.in_words.get(parameter.name)
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
    return [*names, parameter.shown.short] if parameter.shown.short else names


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
        SpecRefusedError: a part has no "=".
    """
    for part in given or ():
        if "=" not in part:
            raise SpecRefusedError(f"{flag} {part!r} has no '=': write KEY=VALUE, such as label=species.")
    return dict(part.split("=", 1) for part in given or ())
