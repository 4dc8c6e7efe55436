"""Which fields of a spec say something: those that differ from what the step would have done by itself."""

from __future__ import annotations

from typing import Any

from slim_core.steps.specs import Spec

_INPUTS = ("kind", "dataset", "campaign", "answers_seq", "model", "shard", "shards")  # what the step works on
_DECIDE = ("mode", "start")  # of a training: which recipe fills in the rest


def inputs(spec: Spec) -> set[str]:
    """Fields that name what the step works on, and those that have no default."""
    required = {name for name, field in type(spec).model_fields.items() if field.is_required()}
    return required | set(spec.parents()) | {name for name in _INPUTS if name in type(spec).model_fields}


def defaults(spec: Spec) -> dict[str, Any]:
    """Field -> the value it has where nobody gives one, with the inputs and the recipe of this spec. Not of inputs."""
    fields, known = type(spec).model_fields, inputs(spec)
    given = {name: getattr(spec, name) for name in (*known, *_DECIDE) if name in fields}
    found = type(spec).model_validate(given).model_dump(mode="json")
    if "milestones" in found:  # they keep their place on the way through the epochs
        epochs = spec.model_dump()["epochs"]
        found["milestones"] = (
            type(spec).model_validate({**given, "epochs": epochs}).model_dump(mode="json")["milestones"]
        )
    found |= {name: fields[name].default for name in _DECIDE if name in fields}
    return {name: value for name, value in found.items() if name not in known}


def changed(spec: Spec) -> dict[str, Any]:
    """Field -> default, for the fields that have another value."""
    plain = spec.model_dump(mode="json")
    return {name: value for name, value in defaults(spec).items() if plain[name] != value}
