"""What a run was asked for: every field of its spec, those that differ from the defaults first and marked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app import session
from app.ui import tables
from app.ui.tables import Cell, Colour, Row
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Parameter, parameters
from slim_core.steps.registry import parse_spec

if TYPE_CHECKING:
    from slim_core.parameters import Config
    from slim_core.steps.specs import Spec
    from slim_core.store import Run

COLUMNS = ("Field", "Value", "Default", "Meaning")  # the default where the value differs from it


def show(run: Run) -> None:
    """The table."""
    parents = {link.parent for link in session.store().lineage.parents([run.id])}
    tables.show("Parameters", COLUMNS, rows(run, parents))


def rows(run: Run, parents: set[str]) -> list[Row]:
    """One row a field: inputs first, then what was changed, then the rest."""
    spec = _parsed(run)
    if spec is None:
        return [_row(name, value, parents, {}, "") for name, value in run.spec.items() if name != "kind"]
    given, differing, about, unused = spec.inputs(), spec.changed(), parameters(type(spec)), spec.without_effect()
    rank = {**dict.fromkeys(given, 0), **dict.fromkeys(differing, 1)}
    values = {name: value for name, value in spec.model_dump(mode="json").items() if _is_listed(about[name], value)}
    names = sorted((name for name in values if name not in unused), key=lambda name: rank.get(name, 2))
    listed = [_row(name, values[name], parents, differing, about[name].help) for name in names if name != "kind"]
    held = {name: config for name, config in spec.held().items() if name in names}
    return listed + [row for name, config in held.items() for row in _within(values[name] or {}, config)]


def _within(settings: Mapping[str, Any], config: type[Config]) -> list[Row]:
    """One row for each setting in a dict, such as those of a loss; those that differ from their defaults marked."""
    about = parameters(config)
    known = {name: value for name, value in settings.items() if name in about}
    defaults = {name: about[name].default for name in known}  # of several numbers a tuple, and a list in the spec
    changed = {name: default for name, default in defaults.items() if shown(known[name]) != shown(default)}
    return [_row(name, value, set(), changed, about[name].help) for name, value in known.items()]


def _is_listed(parameter: Parameter, value: Any) -> bool:
    """What people can choose, and of the rest what this run has."""
    return parameter.display.on_command_line or value not in (None, [], {})


def _row(name: str, value: Any, parents: set[str], differing: dict[str, Any], meaning: str) -> Row:
    is_changed = name in differing
    colour: Colour = "blue" if is_changed else ""
    return [
        Cell(f"● {name}" if is_changed else name, colour),
        Cell(shown(value), colour, run=value if isinstance(value, str) and value in parents else None, code=True),
        Cell(shown(differing[name]) if is_changed else "", "gray", code=True),
        Cell(meaning, "gray"),
    ]


def shown(value: Any) -> str:
    """A value of a spec in a table."""
    if value is None or value == [] or value == {}:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def _parsed(run: Run) -> Spec | None:
    """None for the spec of another version, which is shown as it is."""
    try:
        return parse_spec(run.spec)
    except SpecRefusedError:
        return None
