"""The steps by name: which spec each takes, and where its run function is. Light: imports no step until it is run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from slim_core import removed
from slim_core.errors import SpecRefusedError, instead_of, quoted
from slim_core.parameters import OptionRefusedError, what_to_give
from slim_core.steps.specs import (
    SPEC_VERSION,
    CandidatesSpec,
    CurateSpec,
    EvaluateSpec,
    GradcamSpec,
    PreviewSpec,
    QueueName,
    SpaceSpec,
    Spec,
    TrainSpec,
)

if TYPE_CHECKING:
    from slim_core.steps.context import StepContext

RunFunction = Callable[[Any, "StepContext"], dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """One kind of run. ``target`` is "module:function"."""

    kind: str
    spec: type[Spec]
    target: str

    @property
    def queue(self) -> QueueName:
        """Which workers take it: "gpu" for steps that run the network, "cpu" for the rest."""
        return self.spec.queue

    def load(self) -> RunFunction:
        """Import the run function; only now torch may be loaded."""
        module, _, name = self.target.partition(":")
        return cast(RunFunction, getattr(importlib.import_module(module), name))


STEPS: dict[str, Step] = {
    step.kind: step
    for step in (
        Step("train", TrainSpec, "slim_core.steps.train:run"),
        Step("gradcam", GradcamSpec, "slim_core.steps.passes:gradcam"),
        Step("preview", PreviewSpec, "slim_core.steps.passes:preview"),
        Step("space", SpaceSpec, "slim_core.steps.space:run"),
        Step("candidates", CandidatesSpec, "slim_core.steps.space:choose"),
        Step("curate", CurateSpec, "slim_core.steps.curate:run"),
        Step("evaluate", EvaluateSpec, "slim_core.steps.evaluate:run"),
    )
}


def step_named(kind: object) -> Step:
    """The step of this name.

    Raises:
        SpecRefusedError: no step has this name.
    """
    if kind is None:
        raise SpecRefusedError(f"The spec names no step: give its kind, one of {', '.join(STEPS)}.")
    if not isinstance(kind, str) or kind not in STEPS:
        raise SpecRefusedError(f"There is no step {quoted(kind)}: choose one of {', '.join(STEPS)}.")
    return STEPS[kind]


def parse_spec(given: Mapping[str, Any]) -> Spec:
    """The spec a plain dict describes.

    Raises:
        SpecRefusedError: newer code has written it, the kind is unknown, or a field is unknown, missing or out of its
            range; the first such field is named.
    """
    fields = dict(given)
    version = fields.pop("spec_version", 1)
    if not isinstance(version, int) or version > SPEC_VERSION:
        raise SpecRefusedError(
            f"The spec is of version {quoted(version)}, this code reads up to version {SPEC_VERSION}: update SLIM "
            "Studio here, restart what runs it (`python -m workers`, the dashboard), then retry."
        )
    step = step_named(fields.get("kind"))
    try:
        return step.spec.model_validate(fields)
    except ValidationError as error:
        raise SpecRefusedError(_sentence(step.kind, error)) from error


def _sentence(kind: str, error: ValidationError) -> str:
    first = error.errors()[0]
    step = f"{'An' if kind[0] in 'aeiou' else 'A'} {kind} step"
    field = ".".join(str(part) for part in first["loc"]) or first["msg"].partition(":")[0].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        if kind == "train" and field in removed.TRAINING:
            return f"{step} has no field {quoted(field)} any more. {removed.TRAINING[field]}"
        return f"{step} has no field {quoted(field)}: {instead_of(field, sorted(STEPS[kind].spec.model_fields))}."
    if first["type"] == "missing":
        return f"{step} needs the field {field!r}: give it."
    reason = what_to_give(STEPS[kind].spec, first)
    if isinstance(first.get("ctx", {}).get("error"), OptionRefusedError):
        return f"{reason}."  # it names the option and its value, which all the others beside it would bury
    what = f"{field} = {quoted(first['input'])}: {reason}" if first["loc"] else reason
    return f"{step} refuses {what}."
