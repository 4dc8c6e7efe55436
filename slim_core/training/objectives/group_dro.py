"""Group distributionally robust optimisation: the groups' losses, weighted towards the worst.

Sagawa et al., "Distributionally Robust Neural Networks for Group Shifts", ICLR 2020, algorithm 1. Their
ResNet-50 trains with learning rate 1e-5, batches of 128 and weight decay 1 (Waterbirds) or 0.1 (CelebA).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from slim_core.parameters import Config, Display
from slim_core.training.objectives.objective import Batch, Objective, TrainContext

if TYPE_CHECKING:
    from torch import Tensor


class GroupDroOptions(Config):
    """Its one setting."""

    eta: Annotated[float, Display(step=0.01)] = Field(
        default=0.01, gt=0, le=10, title="Eta", description="Step size of the group weights."
    )


class GroupDro(Objective):
    """q_g <- q_g exp(eta l_g), renormalised, then the loss sum q_g l_g; l_g: mean loss of the batch's images of g."""

    label = "Worst group (GroupDRO, uses group labels)"
    Options = GroupDroOptions
    labels_used = "groups in training"
    sampling = "group-balanced"

    def __init__(self, context: TrainContext) -> None:
        super().__init__(context)
        have_images = context.group_counts > 0
        self.q = have_images / have_images.sum()  # (G,) weights, sum 1; of a group without images 0 for good

    def loss(self, batch: Batch) -> Tensor:
        """A group without images in the batch has loss 0; images of unknown group do not count."""
        means = self._group_means(batch)
        raised = self.q * (self.context.options["eta"] * means.detach()).exp()
        self.q = raised / raised.sum()
        return (self.q * means).sum()

    def _group_means(self, batch: Batch) -> Tensor:
        """(G,) mean cross-entropy of the batch's images of each group."""
        import torch
        from torch.nn import functional

        losses = functional.cross_entropy(batch.logits, batch.labels, reduction="none")  # (B,)
        groups = torch.arange(len(self.q), device=batch.groups.device)
        member = (batch.groups == groups[:, None]).float()  # (G, B)
        return (member @ losses) / member.sum(1).clamp(min=1)

    def state(self) -> dict[str, Tensor]:
        """The weights of the groups."""
        return {"q": self.q}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back the weights of the groups."""
        self.q = state["q"].to(self.q.device)
