"""A spec as the command that submits it: in the words of its own command where that builds the very same spec, else
as JSON for ``slim submit``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slim_core.runs.whole_loop import ANSWERED
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import CurateSpec, Spec, TrainSpec

_FROM_REFERENCE = ("model", "weights", "checkpoint", "image_size")  # what a retraining takes over (loop.retrain_spec)


@dataclass(frozen=True)
class _Form:
    """What a command of ``slim`` says: its options by the field they fill."""

    command: str
    always: Mapping[str, str]
    where_changed: Mapping[str, str] = field(default_factory=dict)
    taken_over: tuple[str, ...] = ()  # fields the command finds out by itself, from a run that is named


_RECIPE = {
    name: "--" + name.replace("_", "-")
    for name in (
        *("weights", "checkpoint", "epochs", "batch_size", "lr", "weight_decay", "image_size"),
        *("augment", "class_weights", "objective", "selection", "seed"),
    )
}
_LOOK = {"splits": "--splits", "class_of_map": "--class-of-map"}
_SPACE = {name: "--" + name.replace("_", "-") for name in ("split", "n_neighbors", "min_dist", "n_clusters", "seed")}
_FORMS = {
    "train": _Form("train", {"dataset": "--data", "model": "--model"}, _RECIPE),
    "retrain": _Form(
        "train", {"subset": "--subset", "reference": "--reference"}, _RECIPE, ("dataset", "mode", "start")
    ),
    "gradcam": _Form("gradcam", {"model": "--model"}, _LOOK, ("dataset",)),
    "features": _Form("features", {"model": "--model"}, _LOOK, ("dataset",)),
    "space": _Form("space", {"attention": "--attention"}, _SPACE, ("dataset",)),
    "evaluate": _Form("evaluate", {"model": "--model"}, {"split": "--split", "space": "--space"}, ("dataset",)),
    "curate": _Form(
        "curate", {"space": "--space", "strategy": "--strategy", "size": "--size"}, {"seed": "--seed"}, ("dataset",)
    ),
}


def command(spec: Spec, reference: Mapping[str, Any] | None = None) -> str:
    """The command line that queues this spec.

    ``reference``: the spec of the train run a retraining starts from, whose architecture its command takes over.
    """
    words = _in_words(spec, reference) or ["submit", "--spec", json.dumps(spec.model_dump(mode="json"))]
    return shlex.join(["slim", *words, "--queue"])


def _in_words(spec: Spec, reference: Mapping[str, Any] | None) -> list[str] | None:
    """The command's own options; None where they would not build this spec."""
    form = _FORMS.get(_form_of(spec))
    if form is None or _rests_on_answers(spec):
        return None
    plain = spec.model_dump(mode="json")
    built = {name: plain[name] for name in ("kind", *form.always, *form.taken_over)}
    if "subset" in form.always:
        built |= {name: (reference or {}).get(name) for name in _FROM_REFERENCE}
    words = [form.command, *(word for name, flag in form.always.items() for word in _option(flag, plain[name]))]
    words += _retrained(spec)
    untold = parse_spec(built).model_dump(mode="json")
    for name, flag in form.where_changed.items():
        if plain[name] != untold[name] and plain[name] is not None:
            built[name] = plain[name]
            words += _option(flag, plain[name])
    return words if parse_spec(built) == spec else None


def _rests_on_answers(spec: Spec) -> bool:
    """The command would take the answers of today, or those of the newest campaign."""
    return isinstance(spec, CurateSpec) and (spec.campaign is not None or spec.strategy in ANSWERED)


def _form_of(spec: Spec) -> str:
    retrained = isinstance(spec, TrainSpec) and spec.subset and spec.reference
    return "retrain" if retrained else spec.kind


def _retrained(spec: Spec) -> list[str]:
    if not isinstance(spec, TrainSpec) or _form_of(spec) != "retrain":
        return []
    return ["--retrain", "last-layer" if spec.mode == "last-layer" else "reference"]


def _option(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    if isinstance(value, list | tuple):
        return [flag, ",".join(map(str, value))]
    return [flag, str(value)]
