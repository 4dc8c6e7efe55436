"""Training losses by name."""

from slim_core.training.objectives.erm import Erm
from slim_core.training.objectives.objective import Batch, Objective, ObjectiveFactory, Setting, class_weights

OBJECTIVES: dict[str, ObjectiveFactory] = {"erm": Erm}

__all__ = ["OBJECTIVES", "Batch", "Erm", "Objective", "ObjectiveFactory", "Setting", "class_weights"]
