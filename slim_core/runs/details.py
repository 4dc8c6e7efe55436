"""What is said of a run: the command that repeats it, in what it differs from another, and what rests on it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

from slim_core.errors import SpecRefusedError
from slim_core.steps.specs import INPUTS, Spec, parse_spec

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store


def command(spec: Spec) -> str:
    """The command line that queues this spec: ``slim submit`` with the fields that are not left at their defaults.

    All of them where what is left out would come back as something else: a recipe proposes by the model, too.
    """
    fields = {"kind": spec.kind, **spec.model_dump(mode="json", exclude_defaults=True)}
    if parse_spec(fields) != spec:
        fields = {"kind": spec.kind, **spec.model_dump(mode="json")}
    return shlex.join(["slim", "submit", "--spec", json.dumps(fields), "--queue"])


Sort = Literal["input", "parameter", "code and machine", "result"]
_MACHINE = ("code_version", "device", "worker")
_COST = ("seconds", "peak_memory_mb")
_SAME = 1e-12  # numbers that differ by less are equal


@dataclass(frozen=True)
class Difference:
    """One thing in which two runs differ; ``change``: second minus first, where both are numbers."""

    sort: Sort
    name: str
    first: Any
    second: Any
    change: float | None = None


def differences(
    first: Run, second: Run, environments: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
) -> list[Difference]:
    """Everything in which they differ: inputs, then parameters, then code and machine, then results.

    ``environments``: what each run wrote as environment.json, for the versions of its packages.
    """
    return [
        *_specs(first.spec, second.spec, inputs=True),
        *_specs(first.spec, second.spec, inputs=False),
        *_of_attributes("code and machine", _MACHINE, first, second),
        *_between("code and machine", _packages(environments[0]), _packages(environments[1])),
        *_between("result", flat(first.metrics or {}), flat(second.metrics or {})),
        *_of_attributes("result", _COST, first, second),
    ]


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The plain values of nested metrics by dotted names; groups and classes by their own names.

    >>> flat({"val": {"wga": 0.5}, "groups": [{"name": "cat", "accuracy": 1.0}]})
    {'val.wga': 0.5, 'cat accuracy': 1.0}
    """
    found: dict[str, Any] = {}
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            named = [each for each in value if isinstance(each, Mapping) and {"name", "accuracy"} <= each.keys()]
            found |= {f"{prefix}{each['name']} accuracy": each["accuracy"] for each in named}
        else:
            found[f"{prefix}{key}"] = value
    return found


def _specs(first: Mapping[str, Any], second: Mapping[str, Any], *, inputs: bool) -> Iterator[Difference]:
    named = _inputs(first) | _inputs(second)
    names = [name for name in dict.fromkeys([*first, *second]) if (name in named) == inputs]
    yield from _between("input" if inputs else "parameter", first, second, names)


def _inputs(spec: Mapping[str, Any]) -> set[str]:
    """Fields that name the inputs of the step; of a spec that this version cannot read, the usual ones."""
    try:
        return parse_spec(spec).inputs()
    except SpecRefusedError:
        return set(INPUTS)


def _packages(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {"python": environment.get("python"), **environment.get("packages", {})} if environment else {}


def _of_attributes(sort: Sort, names: tuple[str, ...], first: Run, second: Run) -> Iterator[Difference]:
    a, b = ({name: getattr(run, name) for name in names} for run in (first, second))
    yield from _between(sort, a, b)


def _between(
    sort: Sort, first: Mapping[str, Any], second: Mapping[str, Any], names: list[str] | None = None
) -> Iterator[Difference]:
    for name in dict.fromkeys([*first, *second]) if names is None else names:
        a, b = first.get(name), second.get(name)
        change = b - a if _is_number(a) and _is_number(b) else None
        if a != b and (change is None or abs(change) > _SAME):
            yield Difference(sort, name, a, b, change)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Dependants:
    """On one run."""

    runs: tuple[Run, ...]  # made from it, or from what was; shards are parts of their run
    campaigns: tuple[Campaign, ...]  # that ask about a space among them

    def __bool__(self) -> bool:
        return bool(self.runs or self.campaigns)


def find_dependants(store: Store, run: Run) -> Dependants:
    """What was made from a run, and the campaigns that ask about any of it."""
    below = store.lineage.descendants([run.id])
    runs = tuple(one for one in store.history.some(below).values() if one.shard_of is None)
    spaces = {run.id, *below}
    return Dependants(runs, tuple(one for one in store.campaigns.all(run.dataset_id) if one.space_run_id in spaces))
