"""Demo data sets, one generator a file: real pictures with a known shortcut, and the true masks.

Public: SETS (by name), made_for, make_set, set_parameters, demo_set (DemoSet, write_set).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slim_core.data.sets.demo_set import DemoSet
from slim_core.data.sets.digits import DemoConfig, Patch, ThreeByThree
from slim_core.data.sets.pictures import Charts, Cutouts, Pictures, Stickers
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Parameter, parameters

SETS: dict[str, type[DemoSet]] = {
    demo.name: demo for demo in (DemoConfig, Pictures, Stickers, Charts, ThreeByThree, Patch, Cutouts)
}

__all__ = ["SETS", "DemoSet", "made_for", "make_set", "set_parameters"]


def made_for(marker: Mapping[str, Any]) -> str:
    """The model that the set of a marker is made for; "": it is no demo set that is known here."""
    name = marker.get("set")
    return SETS[name].model if isinstance(name, str) and name in SETS else ""


def set_parameters() -> dict[str, Parameter]:
    """Name -> parameter, of all sets; those of every set first."""
    found = parameters(DemoSet)
    for demo in SETS.values():
        found |= {name: each for name, each in parameters(demo).items() if name not in found}
    return found


def make_set(name: str, **given: Any) -> DemoSet:
    """A set by name; parameters that are None are left to the set.

    Raises:
        SpecRefusedError: no set has this name, or the set has no such parameter or refuses its value.
    """
    if name not in SETS:
        raise SpecRefusedError(f"No demo set is named {name!r}: choose one of {', '.join(SETS)}.")
    chosen = {key: value for key, value in given.items() if value is not None}
    legal = SETS[name].model_fields
    if unknown := sorted(chosen.keys() - legal):
        raise SpecRefusedError(f"The set {name} has no {unknown[0]}: its parameters are {', '.join(sorted(legal))}.")
    return SETS[name](**chosen)
