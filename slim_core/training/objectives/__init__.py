"""Training losses by name: to add one, write its file and name it here. Light: no torch until a loss is computed."""

from __future__ import annotations

from slim_core.training.objectives.cnc import Cnc
from slim_core.training.objectives.group_dro import GroupDro
from slim_core.training.objectives.jtt import Jtt
from slim_core.training.objectives.objective import (
    Batch,
    Erm,
    NoOptions,
    Objective,
    Predicted,
    TrainContext,
)

OBJECTIVES: dict[str, type[Objective]] = {"erm": Erm, "group-dro": GroupDro, "jtt": Jtt, "cnc": Cnc}

__all__ = ["OBJECTIVES", "Batch", "Erm", "NoOptions", "Objective", "Predicted", "TrainContext"]
