"""What a training loss is: a class with one hole to fill, so that each robust-training method is one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from slim_core.data.labels_used import LabelsUsed
from slim_core.parameters import Config
from slim_core.training.sampling import Sampling

if TYPE_CHECKING:  # the names and options of objectives are known without torch
    import numpy as np
    from torch import Tensor

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

    def __init__(self, context: TrainContext) -> None:
        self.context = context

    @classmethod
    def parents(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """Role -> id of each run that a training with these options rests on; "earlier" is the role of a train run."""
        del options
        return {}

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
