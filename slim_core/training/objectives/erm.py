"""Empirical risk minimisation: the mean cross-entropy (METHOD S0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_core.training.objectives.objective import Batch, Objective

if TYPE_CHECKING:
    from torch import Tensor


class Erm(Objective):
    """Cross-entropy, weighted by class where the config says so."""

    label = "Cross-entropy (ERM)"
    adds_up = True

    def weight_of(self, labels: Tensor) -> Tensor | float:
        """Their number; with class weights, those of their classes."""
        weights = self.context.class_weights
        return super().weight_of(labels) if weights is None else weights[labels].sum()

    def loss(self, batch: Batch) -> Tensor:
        """Mean over the batch."""
        from torch.nn import functional

        return functional.cross_entropy(batch.logits, batch.labels, weight=self.context.class_weights)
