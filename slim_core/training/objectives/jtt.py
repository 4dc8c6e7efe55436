"""Just train twice: the images that an earlier training gets wrong are seen more often.

Liu et al., "Just Train Twice: Improving Group Robustness without Training Group Information", ICML 2021. The first run
is ERM of T epochs. Theirs, with ResNet-50, learning rate 1e-5 and weight decay 1 (Waterbirds) or 0.1 (CelebA): T 60 and
images repeated 100 times on Waterbirds, T 1 and 50 times on CelebA. Which labels choose the epoch is the selection's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.errors import NothingToRepeatError
from slim_core.parameters import Config, Display
from slim_core.training.objectives.objective import Erm, Predicted

ERRORS_OF = "errors_of"


class JttOptions(Config):
    """The first of the two trainings, and what its errors count."""

    errors_of: Annotated[str, Display(run="train")] = Field(
        min_length=1, title="Errors of", description="Train run whose incorrect training images are repeated."
    )
    upweight: int = Field(
        default=50, ge=1, le=10_000, title="Repeats of an error", description="How often an epoch sees each of them."
    )


class Jtt(Erm):
    """Cross-entropy on the training images, those that the earlier run predicts incorrectly ``upweight`` times each."""

    label = "Just train twice (JTT)"
    Options = JttOptions

    @classmethod
    def parents(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """The first training."""
        return {"earlier": options[ERRORS_OF]}

    @classmethod
    def repeats(cls, options: Mapping[str, Any], labels: np.ndarray, predicted: Predicted) -> np.ndarray:
        """The errors so often, every other image once.

        Raises:
            NothingToRepeatError: the earlier run makes no errors, so that this would be ERM.
        """
        errors = predicted(options[ERRORS_OF]) != labels
        if not errors.any():
            raise NothingToRepeatError(
                f"The earlier run {options[ERRORS_OF]} predicts all training images correctly ({len(labels)}), so none "
                f"can be repeated: use one with fewer epochs or more weight decay."
            )
        return np.where(errors, options["upweight"], 1).astype(np.int64)
