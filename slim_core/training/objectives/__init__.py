"""Training losses by name: to add one, write its file and name it here. Light: no torch until a loss is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from slim_core.training.objectives.erm import Erm
from slim_core.training.objectives.group_dro import GroupDro
from slim_core.training.objectives.jtt import Jtt
from slim_core.training.objectives.objective import (
    Batch,
    NoOptions,
    Objective,
    Predicted,
    TrainContext,
    class_weights,
)

OBJECTIVES: dict[str, type[Objective]] = {"erm": Erm, "group-dro": GroupDro, "jtt": Jtt}

__all__ = [
    "OBJECTIVES",
    "Batch",
    "Erm",
    "NoOptions",
    "Objective",
    "Predicted",
    "TrainContext",
    "checked_options",
    "class_weights",
]


def checked_options(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of every option of an objective.

    Raises:
        ValueError: an option is unknown, missing or out of its range; the first such option is named.
    """
    try:
        return OBJECTIVES[name].Options.model_validate(dict(given)).every_field()
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(OBJECTIVES[name].Options.model_fields)
            advice = f"take {known}" if known else "leave objective_options empty"
            raise ValueError(f"The objective {name} has no option {option!r}: {advice}.") from error
        raise ValueError(f"The objective {name} refuses {option} = {first['input']!r}: {first['msg']}.") from error
