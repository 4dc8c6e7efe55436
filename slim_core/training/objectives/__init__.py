"""Training losses by name: to add one, write its file and name it here. Light: no torch until a loss is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from slim_core.parameters import Config
from slim_core.training.objectives.answered_attention import AnsweredAttention
from slim_core.training.objectives.erm import Erm
from slim_core.training.objectives.group_dro import GroupDro
from slim_core.training.objectives.jtt import Jtt
from slim_core.training.objectives.objective import (
    Batch,
    Beside,
    NoOptions,
    Objective,
    Predicted,
    TrainContext,
    class_weights,
)

OBJECTIVES: dict[str, type[Objective]] = {
    "erm": Erm,
    "group-dro": GroupDro,
    "jtt": Jtt,
    "answered-attention": AnsweredAttention,
}

__all__ = [
    "OBJECTIVES",
    "Batch",
    "Beside",
    "Erm",
    "NoOptions",
    "Objective",
    "Predicted",
    "TrainContext",
    "checked_options",
    "class_weights",
    "plain_options",
]


def checked_options(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of every option of an objective.

    Raises:
        ValueError: an option is unknown, missing or out of its range; the first such option is named.
    """
    return plain_options(OBJECTIVES[name].Options, given, f"objective {name}", "objective_options")


def plain_options(options: type[Config], given: Mapping[str, Any], of: str, field: str) -> dict[str, Any]:
    """Plain values of every option in a field ``field``, which belong to ``of``, such as "objective group-dro".

    Raises:
        ValueError: an option is unknown, missing or out of its range; the first such option is named.
    """
    try:
        return options.model_validate(dict(given)).every_field()
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(options.model_fields)
            advice = f"take {known}" if known else f"leave {field} empty"
            raise ValueError(f"The {of} has no option {option!r}: {advice}.") from error
        if first["type"] == "missing" or first["input"] is None:
            raise ValueError(f"The {of} needs the option {option}: give it.") from error
        raise ValueError(f"The {of} refuses {option} = {first['input']!r}: {first['msg']}.") from error
