"""Empirical risk minimisation: the mean cross-entropy (METHOD S0)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from slim_core.errors import SpecRefusedError
from slim_core.training.objectives.objective import Batch, Setting


class Erm:
    """Cross-entropy, weighted by class where the setting says so."""

    needs_pooled = False

    def __init__(self, setting: Setting) -> None:
        """Raises:
        SpecRefusedError: options are given; it has none.
        """
        if setting.options:
            raise SpecRefusedError(
                f"The objective erm has no option {next(iter(setting.options))!r}: leave objective_options empty."
            )
        self._class_weights = setting.class_weights

    def loss(self, batch: Batch) -> Tensor:
        """Mean over the batch."""
        return functional.cross_entropy(batch.logits, batch.labels, weight=self._class_weights)

    def state(self) -> dict[str, Tensor]:
        """Nothing is kept between steps."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Nothing to take back."""
        del state
