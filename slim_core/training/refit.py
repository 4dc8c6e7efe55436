"""What refitting the last layer is: a class with one hole to fill, and the layer that it reads and replaces. Light."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from slim_core.data.groups import GROUPS_IN_VALIDATION, UNGROUPED, LabelsUsed
from slim_core.errors import SpecRefusedError
from slim_core.models.runtime import never_stop
from slim_core.parameters import Config, Display

if TYPE_CHECKING:
    from slim_core.models.model import Model

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FittedOn = Literal["train", "val"]


_GRID, _FILLED_IN = Display(place="more"), Display(place="nowhere")


def _apart(given: Any) -> Any:
    return [part for part in given.strip("[]").split(",") if part.strip()] if isinstance(given, str) else given


# Values of a hyper-parameter, of which one is chosen on images that are not fitted; typed with commas between them.
Grid = Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_apart), Field(min_length=1), _GRID]
CGrid = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...],
    BeforeValidator(_apart),
    Field(
        min_length=1,
        title="C",
        description="Inverse strengths of the l1 penalty that are tried, with commas between them.",
    ),
    _GRID,
]
USUAL_C = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)  # those of DFR
Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_apart), Field(min_length=1), _GRID]


class AnswerSource(Config):
    """Whose answers, and up to which."""

    campaign: str = Field(min_length=1, title="Campaign", description="Campaign whose answers are used.")
    answers_seq: Annotated[int | None, _FILLED_IN] = Field(
        default=None, ge=0, title="Answers", description="Last answer that counts; filled in when submitted."
    )
    space: Annotated[str | None, _FILLED_IN] = Field(
        default=None, title="Space", description="Space run the campaign asks about; filled in when submitted."
    )

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> AnswerSource:
        """The source that the options of a refit hold beside their own."""
        return AnswerSource(**{name: options[name] for name in AnswerSource.model_fields})


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer: logits = X weight^T + bias."""

    weight: Floats  # (C, K)
    bias: Floats  # (C,)

    def logits(self, X: np.ndarray) -> Floats:
        """(n, C) of features (n, K)."""
        found: Floats = np.asarray(X, np.float64) @ self.weight.T + self.bias
        return found

    def predict(self, X: np.ndarray) -> Integers:
        """(n,) classes of features (n, K)."""
        classes: Integers = self.logits(X).argmax(1)
        return classes

    def probabilities(self, X: np.ndarray) -> Floats:
        """(n, C), each row with sum 1, of features (n, K)."""
        from scipy.special import softmax

        found: Floats = softmax(self.logits(X), axis=1)
        return found

    def folded(self, mean: Floats, std: Floats) -> Layer:
        """The same layer for features as they are, where this one takes (features - mean) / std."""
        weight = self.weight / std
        return Layer(weight, self.bias - weight @ mean)


@dataclass(frozen=True, eq=False)
class PooledImages:
    """Images as the head sees them."""

    features: np.ndarray  # (n, K) inputs of the head
    labels: np.ndarray  # (n,) in 0..C-1
    counts: np.ndarray | None = None  # (n,) how often each image counts; None: once
    groups: np.ndarray | None = None  # (n,), UNGROUPED where not known

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: np.ndarray) -> PooledImages:
        """Some of the images, in the order of ``which``, (m,) positions or (n,) bool."""
        counts, groups = (None if each is None else each[which] for each in (self.counts, self.groups))
        return PooledImages(self.features[which], self.labels[which], counts, groups)

    @property
    def times(self) -> Floats:
        """(n,) how often each image counts."""
        return np.ones(len(self)) if self.counts is None else np.asarray(self.counts, np.float64)

    @property
    def cells(self) -> np.ndarray:
        """(n,) the groups where they are known, else the classes: whatever is to be right everywhere."""
        return self.labels if self.groups is None else self.groups


@dataclass(frozen=True, eq=False)
class RefitData:
    """What a last layer is fitted on, and what it was."""

    fitted: PooledImages  # n images; their groups are given to methods that use them
    val: PooledImages  # to choose hyper-parameters on; none: a part of the fitted ones is left for that
    layer: Layer  # as the reference model has it
    class_names: tuple[str, ...]
    group_names: tuple[str, ...] = ()
    surroundings: np.ndarray | None = None  # (m, K) of regions that are no part of a class, as people answered
    check_stop: Callable[[], None] = never_stop  # called now and then; raises to end the work

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.class_names)

    def parts(self, seed: int) -> tuple[Integers, PooledImages]:
        """Positions of the images to fit, and the images to choose hyper-parameters on, which are not among them.

        Each half has its part of every class, or group; of the images of unknown group, of every class. An image that
        is alone in its class (or group) is in both.
        """
        if len(self.val):
            return np.arange(len(self.fitted)), self.val
        cells = self.fitted.cells
        to_fit, to_choose = halves(np.where(cells == UNGROUPED, UNGROUPED - 1 - self.fitted.labels, cells), seed)
        return to_fit, self.fitted.take(to_choose)

    def check_groups(self) -> None:
        """Refuse groups that cannot be balanced; one without an image to fit does not count.

        Raises:
            SpecRefusedError: the groups are not known, or those of a class are not, or one has a single image to fit.
        """
        if self.fitted.groups is None:
            raise SpecRefusedError("This refit uses group labels, but the data has no attribute: choose another refit.")
        is_known = self.fitted.groups != UNGROUPED
        absent = np.setdiff1d(np.arange(self.n_classes), self.fitted.labels[is_known])
        if len(absent):
            raise SpecRefusedError(
                f"Of class {self.class_names[absent[0]]} no image is of a known group among the {len(self.fitted)} to "
                f"fit: choose a refit without group labels, or fit on images that hold some."
            )
        known = self.fitted.groups[is_known]
        for name, n in zip(self.group_names, np.bincount(known, minlength=len(self.group_names)), strict=True):
            if n == 1:
                raise SpecRefusedError(
                    f"The group {name} has 1 of the {len(self.fitted)} images to fit, and every group is cut to the "
                    f"smallest: choose a refit without group labels, or fit on images that hold at least 2 of it."
                )


class Refit(ABC):
    """A way to fit the last layer anew, the rest of the network frozen."""

    label: ClassVar[str]  # on the form
    Options: ClassVar[type[Config]] = Config  # its own settings: fields with title, description and bounds
    labels_used: ClassVar[LabelsUsed] = "none"  # by the fit, beyond the classes
    fitted_on: ClassVar[FittedOn] = "train"  # the split whose images it fits

    def __init__(self, options: Mapping[str, Any], seed: int) -> None:
        """``options``: by name, those of ``Options``; ``seed``: of whatever is random."""
        self.options, self.seed = options, seed

    @classmethod
    def answers(cls, options: Mapping[str, Any]) -> AnswerSource | None:
        """The answers about training images that a refit with these options needs; None: no answers."""
        del options
        return None

    @classmethod
    def uses_groups(cls) -> bool:
        """Whether the fit takes the groups of its images."""
        return cls.labels_used == GROUPS_IN_VALIDATION

    @abstractmethod
    def fit(self, data: RefitData) -> Layer:
        """The new layer, for features as they are.

        Raises:
            SpecRefusedError: the images do not allow it.
        """


def halves(cells: np.ndarray, seed: int) -> tuple[Integers, Integers]:
    """(to fit, to choose by): halves of each cell; an image that is alone in its cell is in both."""
    rng = np.random.default_rng(seed)
    shuffled = [rng.permutation(np.flatnonzero(cells == cell)) for cell in np.unique(cells)]
    to_fit = np.concatenate([rows[: (len(rows) + 1) // 2] for rows in shuffled])
    to_choose = np.concatenate([rows[(len(rows) + 1) // 2 :] if len(rows) > 1 else rows for rows in shuffled])
    return to_fit, to_choose


def worst_and_average(predictions: np.ndarray, images: PooledImages) -> tuple[float, float]:
    """The accuracy in the worst class, or group where these are known, and over all images; a score to choose by."""
    right, cells = predictions == images.labels, images.cells
    worst = min((float(right[cells == cell].mean()) for cell in np.unique(cells) if cell != UNGROUPED), default=0.0)
    return worst, float(right.mean())


def scale(pooled: np.ndarray) -> tuple[Floats, Floats]:
    """Mean and standard deviation (K,) of features (n, K); a constant feature keeps its scale."""
    values = np.asarray(pooled, np.float64)
    std: Floats = values.std(0)
    return values.mean(0), np.where(std > 1e-8, std, 1.0)


def best_of(grid: Sequence[float], score: Callable[[float], tuple[float, float]], name: str) -> float:
    """The value with the best worst class (or group), then the best average; of equals the first."""
    scores = {value: score(value) for value in grid}
    best = max(grid, key=scores.__getitem__)
    log.info("last layer: %s = %g (worst %.3f, average %.3f of those not fitted)", name, best, *scores[best])
    return best


def check_classes(data: RefitData) -> None:
    """Refuse data without an image of each class to fit, or with one class.

    Raises:
        SpecRefusedError: there is one class, or a class without an image to fit.
    """
    if data.n_classes < 2:
        raise SpecRefusedError("The last layer cannot be fitted on images of one class: choose images of each class.")
    empty = np.flatnonzero(np.bincount(data.fitted.labels, minlength=data.n_classes) == 0)
    if len(empty):
        name = data.class_names[empty[0]]
        raise SpecRefusedError(f"The last layer cannot be fitted without images of class {name}: choose some.")


def read_last_layer(model: Model) -> Layer:
    """The last layer as it is.

    Raises:
        SpecRefusedError: the model has no linear last layer with a bias.
    """
    head = model.head
    if head is None or head.bias is None:
        raise SpecRefusedError(f"{model.name} has no linear last layer with a bias: retrain the whole model instead.")
    return Layer(*(each.detach().cpu().double().numpy() for each in (head.weight, head.bias)))


def apply_last_layer(model: Model, layer: Layer) -> None:
    """Put a fitted layer into the model.

    Raises:
        SpecRefusedError: the model has no linear last layer of this shape.
    """
    import torch

    head, shape = model.head, layer.weight.shape
    if head is None or head.weight.shape != shape or head.bias is None:
        found = "none" if head is None else str(tuple(head.weight.shape))
        raise SpecRefusedError(
            f"The last layer of {model.name} ({found}) does not take weights of shape {shape}: "
            f"retrain the whole model instead."
        )
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(layer.weight.astype(np.float32)))
        head.bias.copy_(torch.from_numpy(layer.bias.astype(np.float32)))
