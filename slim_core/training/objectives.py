"""Training losses by name: to add one, write its class and name it in OBJECTIVES. Light: torch is loaded to compute."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from slim_core.data.groups import LabelsUsed
from slim_core.errors import NothingToRepeatError
from slim_core.parameters import Config, Display

if TYPE_CHECKING:
    from torch import Tensor

Sampling = Literal["shuffled", "class-balanced", "group-balanced"]
SAMPLINGS: dict[Sampling, str] = {
    "shuffled": "each image once",
    "class-balanced": "classes equally often",
    "group-balanced": "groups equally often (uses group labels)",
}
Predicted = Callable[[str], "np.ndarray"]  # id of an earlier train run -> (n,) classes it predicts of the training rows


class NoOptions(Config):
    """An objective without settings of its own."""


@dataclass(frozen=True)
class TrainContext:
    """What an objective may know of the training set before it starts."""

    n_classes: int
    group_counts: Tensor  # (G,) training images per group; groups of no known attribute are left out
    options: Mapping[str, Any]  # of the objective, by name: those of its ``Options``


@dataclass(frozen=True)
class Batch:
    """One step's images as the network left them."""

    rows: Tensor  # (B,) positions in the table
    labels: Tensor  # (B,) in 0..C-1
    groups: Tensor  # (B,) in 0..G-1, -1 unknown; an objective that reads it uses group labels
    pooled: Tensor | None  # (B, K) input of the head, where the objective asks for it
    logits: Tensor  # (B, C)
    cells: Tensor | None = None  # (B,) of ``Objective.cells``, where it gives some


class Objective(ABC):
    """A loss with whatever it keeps between steps."""

    label: ClassVar[str]  # on the form
    Options: ClassVar[type[Config]] = NoOptions  # its own settings: fields with title, description and bounds
    needs_pooled: ClassVar[bool] = False  # True: ``Batch.pooled`` is filled
    labels_used: ClassVar[LabelsUsed] = "none"  # by the loss; data without groups is refused where it uses them
    sampling: ClassVar[Sampling | None] = None  # how its epochs are drawn; None: as the config says
    draws: ClassVar[str] = ""  # what an epoch draws, in words, where it gives ``cells``
    rests_on: ClassVar[str | None] = None  # the option that names an earlier train run, where it has one

    def __init__(self, context: TrainContext) -> None:
        self.context = context

    @classmethod
    def parents(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """Role -> id of each run that a training with these options rests on; "earlier" is the role of a train run."""
        return {} if cls.rests_on is None else {"earlier": options[cls.rests_on]}

    @classmethod
    def earlier_predictions(
        cls, options: Mapping[str, Any], labels: np.ndarray, predicted: Predicted, needed_to_be: str
    ) -> np.ndarray:
        """(n,) classes that the earlier run predicts.

        Raises:
            NothingToRepeatError: all of them are correct; ``needed_to_be``: what then none can be.
        """
        earlier = options[str(cls.rests_on)]
        found = predicted(earlier)
        if (found == labels).all():
            raise NothingToRepeatError(
                f"The earlier run {earlier} predicts all {len(labels)} training images correctly, so none can be "
                f"{needed_to_be}: use one with fewer epochs or more weight decay."
            )
        return found

    @classmethod
    def repeats(cls, options: Mapping[str, Any], labels: np.ndarray, predicted: Predicted) -> np.ndarray | None:
        """(n,) int64: how often an epoch sees each training row, of labels (n,); None: as often as without it."""
        del options, labels, predicted
        return None

    @classmethod
    def cells(cls, options: Mapping[str, Any], labels: np.ndarray, predicted: Predicted) -> np.ndarray | None:
        """(n,) int64: a cell of each training row, such as class x earlier prediction; None: no cells.

        An epoch draws each cell equally often, and ``Batch.cells`` has them.
        """
        del options, labels, predicted
        return None

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The scalar to step down, with its gradient."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must keep for an exact resume; by default nothing."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        del state


class Erm(Objective):
    """Empirical risk minimisation: the mean cross-entropy (METHOD S0)."""

    label = "Cross-entropy (ERM)"

    def loss(self, batch: Batch) -> Tensor:
        """Mean over the batch."""
        from torch.nn import functional

        return functional.cross_entropy(batch.logits, batch.labels)


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
    rests_on = "errors_of"

    @classmethod
    def repeats(cls, options: Mapping[str, Any], labels: np.ndarray, predicted: Predicted) -> np.ndarray:
        """The errors so often, every other image once.

        Raises:
            NothingToRepeatError: the earlier run makes no errors, so that this would be ERM.
        """
        errors = cls.earlier_predictions(options, labels, predicted, "repeated") != labels
        return np.where(errors, options["upweight"], 1).astype(np.int64)


class CncOptions(Config):
    """The earlier run, and the contrastive loss."""

    predictions_of: Annotated[str, Display(run="train")] = Field(
        min_length=1, title="Predictions of", description="Train run whose predictions stand for the attribute."
    )
    tau: Annotated[float, Display(step=0.05)] = Field(
        default=0.1, gt=0, le=10, title="Tau", description="Temperature of the contrastive loss."
    )
    contrast: Annotated[float, Display(step=0.05)] = Field(
        default=0.75, ge=0, le=1, title="Contrast", description="Share of the contrastive loss, beside cross-entropy."
    )


class Cnc(Objective):
    """Supervised contrastive loss over the classes, across the earlier run's predictions, beside the cross-entropy."""

    label = "Correct-N-Contrast (CnC)"
    Options = CncOptions
    needs_pooled = True
    draws = "each class and earlier prediction equally often"
    rests_on = "predictions_of"

    @classmethod
    def cells(cls, options: Mapping[str, Any], labels: np.ndarray, predicted: Predicted) -> np.ndarray:
        """Class x prediction: C y + p.

        Raises:
            NothingToRepeatError: the earlier run makes no mistake, so that there are no positives.
        """
        found = cls.earlier_predictions(options, labels, predicted, "contrasted")
        cells: np.ndarray = (labels.max() + 1) * labels + found  # every class has training images
        return cells

    def loss(self, batch: Batch) -> Tensor:
        """A batch without an anchor that has both positives and negatives has the cross-entropy alone."""
        from torch.nn import functional

        assert batch.pooled is not None and batch.cells is not None  # needs_pooled and cells say so
        entropy = functional.cross_entropy(batch.logits, batch.labels)
        predictions = batch.cells % self.context.n_classes
        contrast = contrastive_loss(batch.pooled, batch.labels, predictions, self.context.options["tau"])
        share: float = self.context.options["contrast"]
        return entropy if contrast is None else share * contrast + (1 - share) * entropy


def contrastive_loss(pooled: Tensor, labels: Tensor, predictions: Tensor, tau: float) -> Tensor | None:
    """Mean over anchors of -1/|P| sum_p log(exp(z z_p / tau) / sum over P and N of exp(z z_j / tau)); None: no anchor.

    Args:
        pooled: (B, K), divided by their norm here.
        labels: (B,).
        predictions: (B,) of the earlier run.
        tau: the temperature.
    """
    from torch.nn import functional

    z = functional.normalize(pooled.float(), dim=1)
    same_class, same_prediction = labels[:, None] == labels, predictions[:, None] == predictions
    positive, negative = same_class & ~same_prediction, ~same_class & same_prediction  # (B, B)
    anchors = (labels == predictions) & positive.any(1) & negative.any(1)
    if not anchors.any():
        return None
    similar, P, N = (z @ z.T / tau)[anchors], positive[anchors], negative[anchors]
    beside = similar.masked_fill(~(P | N), float("-inf")).logsumexp(1, keepdim=True)
    return -((similar - beside) * P).sum(1).div(P.sum(1)).mean()


OBJECTIVES: dict[str, type[Objective]] = {"erm": Erm, "group-dro": GroupDro, "jtt": Jtt, "cnc": Cnc}
