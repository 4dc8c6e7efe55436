"""A spec as the command that submits it: in the options of its own command where that builds the very same spec, else
as JSON for ``slim submit``.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slim_core.curation import ANSWERED
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Parameter, parameters
from slim_core.runs.retraining import taken_over
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import CurateSpec, Spec, TrainSpec

RETRAIN, REFIT, PROBE, REGISTER = "retrain", "refit", "probe", "register-model"
_INPUTS: Mapping[str, Mapping[str, str]] = {  # command, or its use -> input field -> option
    "train": {"dataset": "--data", "model": "--model"},
    RETRAIN: {"subset": "--subset", "reference": "--reference"},
    REFIT: {"reference": "--reference"},
    PROBE: {"dataset": "--data", "model": "--model"},
    REGISTER: {"dataset": "--data", "model": "--model"},
    "gradcam": {"model": "--model"},
    "preview": {"model": "--model"},
    "features": {"model": "--model"},
    "space": {"attention": "--attention"},
    "evaluate": {"model": "--model", "space": "--space"},
    "curate": {"space": "--space", "size": "--size"},
}
# what a command finds out by itself, from the run or the file that is named
_FOUND = ("dataset", "mode", "start", "checkpoint_sha256")


def command(spec: Spec, reference: Mapping[str, Any] | None = None) -> str:
    """The command line that queues this spec.

    ``reference``: the spec of the train run a retraining starts from, whose architecture its command takes over.
    """
    words = _in_options(spec, reference) or ["submit", "--spec", json.dumps(spec.model_dump(mode="json"))]
    return shlex.join(["slim", *words, "--queue"])


def in_any_shell(line: str, home: Path) -> str:
    """A command line that runs in a plain shell from any folder: by the path of ``slim``, with this SLIM_HOME."""
    slim = Path(sys.executable).with_name("slim")
    called = shlex.quote(str(slim)) if slim.is_file() else f"{shlex.quote(sys.executable)} -m slim_core.cli"
    return f"SLIM_HOME={shlex.quote(str(home.resolve()))} {called}{line.removeprefix('slim')}"


def _in_options(spec: Spec, reference: Mapping[str, Any] | None) -> list[str] | None:
    """The command's own options; None where they would not build this spec."""
    use = _use(spec)
    if use not in _INPUTS or _rests_on_answers(spec) or _computes_features(spec):
        return None
    plain, inputs = spec.every_field(), _INPUTS[use]
    built = {name: plain[name] for name in ("kind", *inputs, *_FOUND) if name in plain}
    words = [REGISTER, plain["checkpoint"]] if use == REGISTER else [spec.kind]
    words += [word for name, flag in inputs.items() for word in _option(flag, plain[name])]
    if use in (RETRAIN, REFIT):
        built |= taken_over(reference or {})
    if use == RETRAIN:
        words += ["--retrain", "last-layer" if plain["mode"] == "last-layer" else "reference"]
    if use == REFIT:
        words += ["--mode", "last-layer"]
    if use == PROBE:
        words += ["--mode", "last-layer", "--reference", "none"]
    if use == REGISTER:
        built["checkpoint"] = plain["checkpoint"]
    for name, parameter in parameters(type(spec)).items():
        is_left_out = plain[name] in (_by_itself(built, name), None) and name != _proposed(use, plain)
        if parameter.display.on_command_line and not is_left_out:
            built[name] = plain[name]
            words += _within(spec, parameter) if name in spec.holds else _option(parameter.flag, plain[name])
    return words if parse_spec(built) == spec else None


def _proposed(use: str, plain: Mapping[str, Any]) -> str | None:
    """The field that the command proposes where nobody gives it, by the data or the reference, not by the spec."""
    if plain.get("mode") == "last-layer":
        return "refit"  # slim_core.api
    return "epochs" if use == "train" else None  # by the number of images: steps/train/first_training.py


def _by_itself(built: Mapping[str, Any], name: str) -> Any:
    """The value of a field that is not given; None where the spec needs one, such as the options of some objectives."""
    try:
        return parse_spec(built).every_field()[name]
    except SpecRefusedError:
        return None


def _use(spec: Spec) -> str:
    """The command, or what it is used for."""
    if isinstance(spec, TrainSpec) and spec.mode == "registered":
        return REGISTER
    if not isinstance(spec, TrainSpec) or spec.reference is None:
        return PROBE if isinstance(spec, TrainSpec) and spec.mode == "last-layer" else spec.kind
    if spec.subset:
        return RETRAIN
    return REFIT if spec.mode == "last-layer" else spec.kind


def _rests_on_answers(spec: Spec) -> bool:
    """The command would take the answers of today, or those of the newest campaign."""
    return isinstance(spec, CurateSpec) and (spec.campaign is not None or spec.strategy in ANSWERED)


def _computes_features(spec: Spec) -> bool:
    """The command would read those of the pass that the subset rests on."""
    return isinstance(spec, TrainSpec) and _use(spec) == RETRAIN and spec.mode == "last-layer" and not spec.attention


def _within(spec: Spec, parameter: Parameter) -> list[str]:
    """The settings in a dict: each by its own option where that is typed as it was, else as NAME=VALUE."""
    own, words = parameters(spec.holds[parameter.name]), []
    for name, value in getattr(spec, parameter.name).items():
        is_own = name in own and own[name].type is type(value) and own[name].display.on_command_line
        words += _option(own[name].flag, value) if is_own else _option(parameter.flag, {name: value})
    return words


def _option(flag: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    if isinstance(value, dict):
        given = {name: each for name, each in value.items() if each is not None}
        return [word for name, each in given.items() for word in (flag, f"{name}={_typed(each)}")]
    return [flag, ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
