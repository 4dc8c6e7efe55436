"""slim submit: any step from its spec as JSON, with every field it has."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from slim_core.cli.kit.bench import bench
from slim_core.cli.kit.console import Device, Force, Priority, Queued, done
from slim_core.errors import SpecRefusedError, quoted


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    example = """slim submit --spec '{"kind": "evaluate", "dataset": "d-x7k2m9qa4t", "model": "r-b5n8w3ve6y"}'"""
    app.command("submit", epilog=f"Example: {example}")(submit)


def submit(
    spec: Annotated[str, typer.Option(help='A JSON object with the kind of the step and its fields; "-": from stdin.')],
    name: Annotated[str | None, typer.Option(help="Name of the run in lists; default: its kind and data set.")] = None,
    queue: Queued = False,
    priority: Priority = 0,
    device: Device = None,
    force: Force = False,
) -> None:
    """Run a step as its spec says; "Copy as command" on the Jobs page gives the command of each run."""
    from slim_core.steps.registry import parse_spec

    if name is not None and not name.strip():
        raise SpecRefusedError(f"The run's name is {quoted(name)}: give one, or leave --name out.")
    parsed = parse_spec(given(_stdin() if spec == "-" else spec))
    done(bench(queue, device, priority).run(parsed, name=name, force=force))


def _stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise SpecRefusedError("The spec is not text in UTF-8: save it so, or leave out what is no letter.") from error


def given(text: str) -> dict[str, Any]:
    """The JSON object in a text.

    Raises:
        SpecRefusedError: it is not JSON, or no object.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecRefusedError(
            f"The spec is not JSON ({error.msg} at character {error.pos + 1}): quote it, --spec '{{...}}'."
        ) from error
    except (ValueError, RecursionError) as error:
        raise SpecRefusedError(
            "The spec holds lists in lists, hundreds deep, or a number of thousands of digits: correct it."
        ) from error
    if not isinstance(found, dict):
        raise SpecRefusedError(f"The spec is {type(found).__name__}, not an object: give --spec '{{\"kind\": ...}}'.")
    return found
